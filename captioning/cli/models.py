"""`models`: list the available models; publish, rename or unpublish the model of a run."""

import argparse
import getpass
from typing import Any

from captioning.bundle import Bundle, find_bundles, rename_bundle, unpublish_bundle
from captioning.cli.terminal import print_json
from captioning.metrics import format_headline


def add_to(subparsers: Any) -> None:
    """Declare the command and its subcommands; without one it lists the models."""
    parser = subparsers.add_parser(
        "models", help="list the available models, or publish the model of a run"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per model")
    parser.set_defaults(run=run)
    parts = parser.add_subparsers(metavar="PART")
    publishing = parts.add_parser("publish", help="make the model of a run available to everyone")
    publishing.add_argument("training_run", metavar="RUN", help="name of the run")
    publishing.add_argument("model", metavar="NAME", help="name for the model")
    publishing.add_argument("--by", default=_user(), metavar="WHO", help="name of the publisher")
    publishing.add_argument(
        "--replace", action="store_true", help="replace a model with the same name"
    )
    publishing.set_defaults(run=run_publish)
    renaming = parts.add_parser("rename", help="rename a published model")
    renaming.add_argument("model", metavar="NAME")
    renaming.add_argument("new_name", metavar="NEW_NAME")
    renaming.set_defaults(run=run_rename)
    taking_back = parts.add_parser("unpublish", help="withdraw a published model")
    taking_back.add_argument("model", metavar="NAME")
    taking_back.set_defaults(run=run_unpublish)


def run(arguments: argparse.Namespace) -> int:
    """Print each model's name, encoder, decoder and best known score."""
    for bundle in find_bundles():
        if arguments.json:
            print_json(_facts(bundle))
            continue
        print(f"{bundle.name}: {bundle.encoder.name} {bundle.encoder.layer}, {bundle.decoder.kind}")
        if bundle.published is not None:
            who = f" by {bundle.published.by}" if bundle.published.by else ""
            print(f"  published{who} on {bundle.published.at} from {bundle.published.run}")
        for score in bundle.scores():
            print(
                f"  {score['data']} {score['split']}, {score['images']:,} photos, "
                f"beam {score['beam_width']}: {format_headline(score)}"
            )
    return 0


def run_publish(arguments: argparse.Namespace) -> int:
    """Publish the model of a run."""
    from captioning.runs import Runs

    options = {"by": arguments.by, "replace": arguments.replace}
    bundle = Runs().publish(arguments.training_run, arguments.model, **options)
    print(f"{bundle.name} is published: {bundle.folder}")
    return 0


def run_rename(arguments: argparse.Namespace) -> int:
    """Rename a published model."""
    bundle = rename_bundle(arguments.model, arguments.new_name)
    print(f"{arguments.model} is now called {bundle.name}")
    return 0


def run_unpublish(arguments: argparse.Namespace) -> int:
    """Withdraw a published model."""
    unpublish_bundle(arguments.model)
    print(f"{arguments.model} is no longer published")
    return 0


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "model": bundle.name,
        "encoder": bundle.encoder.name,
        "layer": bundle.encoder.layer,
        "decoder": bundle.decoder.kind,
        "cell": bundle.decoder.cell,
        "words": len(bundle.vocabulary),
        "folder": str(bundle.folder),
        "published": None if bundle.published is None else vars(bundle.published),
        "scores": bundle.scores(),
    }


def _user() -> str:
    """Return the name of the current user; some containers have none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
