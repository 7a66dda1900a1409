"""`models`: list the bundles at hand."""

import argparse
from typing import Any

from captioning.bundles import find_bundles
from captioning.commands.terminal import print_json

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("models", help="list the models at hand")
    parser.add_argument("--json", action="store_true", help="one JSON object a model")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print each model's name, what it is made of, and its best known score."""
    for bundle in find_bundles():
        facts = {
            "model": bundle.name,
            "encoder": bundle.encoder.name,
            "layer": bundle.encoder.layer,
            "decoder": bundle.decoder.kind,
            "words": len(bundle.vocabulary),
            "folder": str(bundle.folder),
            "scores": bundle.scores(),
        }
        if arguments.json:
            print_json(facts)
            continue
        print(f"{bundle.name}: {bundle.encoder.name} {bundle.encoder.layer}, {bundle.decoder.kind}")
        for score in bundle.scores():
            print(
                f"  {score['data']} {score['split']}, {score['images']:,} photos, "
                f"beam {score['beam_width']}: BLEU-4 {score['bleu_4']:.1f}, "
                f"CIDEr {score['cider']:.1f}"
            )
    return 0
