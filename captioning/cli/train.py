"""`train --config FILE`: train a model and write it as a bundle."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from captioning.bundle import check_bundle_folder
from captioning.cli.run_process import run_as_process
from captioning.cli.terminal import add_encoding, clock, print_json, progress_line, quietly
from captioning.cli.training_data import dataset_for, further_datasets
from captioning.config import read_training_config
from captioning.datasets import load
from captioning.metrics import format_headline, headline_metrics
from captioning.storage import data_folder

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("train", help="train a model")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", metavar="FILE", help="one of configs/*.json")
    source.add_argument(
        "--run",
        dest="run_folder",
        metavar="DIR",
        help="run the training that the app prepared in this folder",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="folder of the data set; may be repeated to add more",
    )
    add_encoding(parser)
    parser.add_argument(
        "--allow-missing",
        action="append_const",
        dest="set",
        default=[],
        const="allow_missing=true",
        help="train even if many photos are missing",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting"
    )
    parser.add_argument("--out", metavar="DIR", help="folder of the bundle")
    parser.add_argument(
        "--checkpoints",
        metavar="DIR",
        help="folder for checkpoints; an unfinished run there is resumed",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train a model and report the dev scores of its best epoch."""
    if arguments.run_folder:
        run_as_process(Path(arguments.run_folder), show_event)
    config = read_training_config(arguments.config).with_settings(arguments.set)
    folder = Path(arguments.out) if arguments.out else data_folder() / "models" / config.name
    check_bundle_folder(folder)  # fail before hours of training, not after
    dataset = dataset_for(config, arguments.data[0] if arguments.data else None, arguments.encoding)
    extra = [load(folder, arguments.encoding) for folder in arguments.data[1:]]
    extra = extra or further_datasets(config)
    with quietly():
        from captioning.training import train
    bundle = train(
        config,
        dataset,
        extra=extra,
        bundle_folder=folder,
        checkpoint_folder=Path(arguments.checkpoints) if arguments.checkpoints else None,
        command=_command(arguments),
        on_event=show_event,
    )
    if bundle is None:  # happens only when a caller stops the run
        return 1
    facts = (bundle.metrics or {})["training"]
    best = bundle.history()[facts["best_epoch"] - 1]
    result = {
        "bundle": str(folder),
        "split": "dev",
        **{metric.name: round(best[metric.name], 2) for metric in headline_metrics()},
        "seconds": facts["seconds"],
    }
    if arguments.json:
        print_json(result)
    else:
        print(f"{folder}: dev {format_headline(best)}, {clock(facts['seconds'])}")
    return 0


def _command(arguments: argparse.Namespace) -> str:
    # The command goes into the model card, which should not reveal private paths.
    config = Path(arguments.config)
    written = f"{config.parent.name}/{config.name}" if config.is_absolute() else arguments.config
    words = ["python", "-m", "captioning", "train", "--config", written]
    for folder in arguments.data:
        words += ["--data", Path(folder).name]
    for setting in arguments.set:
        name, _, value = setting.partition("=")
        words += ["--set", f"{name}={Path(value).name}" if name == "sentences" else setting]
    return shlex.join(words)


def show_event(event: dict[str, Any]) -> None:
    """Print a training event."""
    where = f"epoch {event.get('epoch')} of {event.get('epochs')}"
    match event["event"]:
        case "data":
            for sentence in event["sentences"]:
                progress_line(sentence, done=True)
        case "features":
            done = event["done"] == event["total"]
            left = clock(event["seconds_left"])
            text = f"{event['done']:,} of {event['total']:,} photos encoded"
            progress_line(f"{text}, {event['rate']:.1f}/s, {left} left", done=done)
        case "step":
            progress_line(f"{where}, step {event['step']}, loss {event['loss']:.3f}")
        case "epoch":
            figures = f"loss {event['loss']:.3f}, dev {event['dev_loss']:.3f}"
            where = f"epoch {event['epoch']} of {event['epochs']}"
            progress_line(f"{where}: {figures}, {format_headline(event)}", done=True)
        case "resume":
            progress_line(f"resuming at {where}, step {event['step']}", done=True)
        case "damaged":
            progress_line(f"{event['checkpoint']} is damaged and was skipped", done=True)
