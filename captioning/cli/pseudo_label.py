"""`pseudo-label FOLDER --sentences FILE`: find captions for photos that nobody described."""

import argparse
import csv
from pathlib import Path
from typing import Any

from captioning.cli.find import encoded_batches
from captioning.cli.terminal import quietly
from captioning.csv_text import guarded
from captioning.errors import ConfigError, ImageError
from captioning.storage import replacing


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "pseudo-label", help="choose captions among sentences for photos without captions"
    )
    parser.add_argument("photos", metavar="FOLDER", help="a folder of photos")
    parser.add_argument(
        "--sentences", required=True, metavar="FILE", help="sentences of people, one per line"
    )
    parser.add_argument("--model", help="name or folder of a model")
    parser.add_argument("--count", type=int, default=5, metavar="N", help="captions per photo")
    parser.add_argument(
        "--out", metavar="FILE", help="the table to write; captions.csv in the folder by default"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a table of photos and chosen sentences, which `train` reads as a data set."""
    from captioning.batch import open_album
    from captioning.bundle import default_model
    from captioning.training.sentences import read_sentences

    if arguments.count < 1:
        raise ConfigError(f"--count must be at least 1, got {arguments.count}.")
    album = open_album(arguments.photos)
    if not album:
        raise ImageError(f"There are no photos in '{arguments.photos}'.")
    sentences = read_sentences(arguments.sentences)
    out = Path(arguments.out or Path(arguments.photos) / "captions.csv")
    with quietly():
        from captioning.captioner import Captioner
        from captioning.retrieval.pseudo_labels import PseudoLabeler
    captioner = Captioner.load(arguments.model or default_model())
    labeler = PseudoLabeler(captioner, sentences)
    labelled = 0
    with replacing(out) as path, path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "caption", "split", "score"))
        for names, features in encoded_batches(captioner, album):
            for name, chosen in zip(names, labeler.choose(features, arguments.count), strict=True):
                labelled += bool(chosen)
                for sentence in chosen:
                    table.writerow((name, guarded(sentence.text), "train", f"{sentence.score:.3f}"))
    print(f"{out}: captions for {labelled:,} of {len(album):,} photos")
    return 0
