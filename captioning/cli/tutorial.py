"""`tutorial write MODEL --out DIR` and `tutorial read DESCRIPTIONS FEATURES`."""

import argparse
from pathlib import Path
from typing import Any

from captioning.cli.terminal import add_encoding, quietly
from captioning.datasets import load
from captioning.tutorial_files import read_class_files, take_over

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command and its parts."""
    parser = subparsers.add_parser("tutorial", help="write or read the files of the tutorials")
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    writing = parts.add_parser("write", help="a model as the files that the tutorials end with")
    writing.add_argument("model", metavar="MODEL", help="a bundle's name or folder")
    writing.add_argument("--out", required=True, type=Path, metavar="DIR", help="where to")
    writing.add_argument("--data", metavar="DIR", help="also its descriptions.txt and features.p")
    add_encoding(writing)
    writing.add_argument("--split", default="train", choices=("train", "dev", "test"))
    writing.add_argument("--photos", type=int, metavar="N", help="of the split's first N photos")
    writing.set_defaults(run=run_write)
    reading = parts.add_parser("read", help="look through a class's captions and features")
    reading.add_argument("descriptions", type=Path, metavar="DESCRIPTIONS", help="descriptions.txt")
    reading.add_argument(
        "features", type=Path, metavar="FEATURES", help="features.npz or features.p"
    )
    reading.add_argument("--name", help="make a data set of this name of them, to train on")
    reading.set_defaults(run=run_read)


def run_write(arguments: argparse.Namespace) -> int:
    """Write the files and name them."""
    dataset = load(arguments.data, arguments.encoding) if arguments.data else None
    with quietly():
        from captioning.captioner import Captioner
        from captioning.tutorial_files import write_tutorial_files
    captioner = Captioner.load(arguments.model, with_encoder=False)
    written = write_tutorial_files(
        captioner,
        arguments.out,
        dataset=dataset,
        split=arguments.split,
        photos=arguments.photos,
    )
    for path in written:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def run_read(arguments: argparse.Namespace) -> int:
    """Say what is in the files, and make a data set of them if asked to."""
    files = read_class_files(arguments.descriptions, arguments.features)
    captions = sum(map(len, files.captions.values()))
    print(f"{len(files.features):,} photos with {captions:,} captions of {files.words:,} words")
    origin = f"as of {files.encoder.name} {files.encoder.layer}" if files.encoder else "unknown"
    print(f"features of shape {files.shape}, {origin}")
    for what, names in (
        ("captions and no features", files.without_features),
        ("features and no captions", files.without_captions),
    ):
        if names:
            print(f"{len(names):,} photos have {what}, such as {names[0]}")
    if arguments.name:
        dataset = take_over(files, arguments.name)
        print(f"{dataset.summary()}")
        print(
            "Train on it: python -m captioning train --config configs/tutorial-merge.json "
            f"--data {dataset.root}"
        )
    return 0
