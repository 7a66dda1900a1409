"""`tutorial`: write a model as the files of well-known tutorials, or read such files."""

import argparse
from pathlib import Path
from typing import Any

from captioning.cli.terminal import add_encoding, quietly
from captioning.config import EncoderConfig
from captioning.datasets import load
from captioning.tutorial_files import ClassFiles, read_class_files, take_over

TUTORIAL_ENCODER = EncoderConfig(name="xception", layer="block13")
"""The encoder of `configs/tutorial-merge.json`."""


def add_to(subparsers: Any) -> None:
    """Declare the command and its subcommands."""
    parser = subparsers.add_parser(
        "tutorial", help="write or read the files that captioning tutorials use"
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    writing = parts.add_parser(
        "write", help="write a model as the files that the tutorials produce"
    )
    writing.add_argument("model", metavar="MODEL", help="name or folder of a model")
    writing.add_argument("--out", required=True, type=Path, metavar="DIR", help="where to")
    writing.add_argument(
        "--data", metavar="DIR", help="also write descriptions.txt and features.p of this data set"
    )
    add_encoding(writing)
    writing.add_argument("--split", default="train", choices=("train", "dev", "test"))
    writing.add_argument(
        "--photos", type=int, metavar="N", help="only for the first N photos of the split"
    )
    writing.set_defaults(run=run_write)
    reading = parts.add_parser("read", help="check the captions and features of a class")
    reading.add_argument("descriptions", type=Path, metavar="DESCRIPTIONS", help="descriptions.txt")
    reading.add_argument(
        "features", type=Path, metavar="FEATURES", help="features.npz or features.p"
    )
    reading.add_argument("--name", help="save them as a data set with this name, to train on")
    reading.set_defaults(run=run_read)


def run_write(arguments: argparse.Namespace) -> int:
    """Write the files and print their names."""
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
    """Report what the files contain, and save them as a data set if `--name` is given."""
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
            f"--data {dataset.root} {_settings(files)}".strip()
        )
    return 0


def _settings(files: ClassFiles) -> str:
    """Return the options that name the encoder of a class's features."""
    values = {} if files.encoder is None else files.encoder.to_dict()
    options = [
        f"--set encoder.{name}={value}"
        for name, value in values.items()
        if value is not None and value != getattr(TUTORIAL_ENCODER, name)
    ]
    return " ".join(
        options + [f"--set encoder_from={files.encoder_from}"] * bool(files.encoder_from)
    )
