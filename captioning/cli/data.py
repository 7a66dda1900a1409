"""`data`: download, list, verify or draw data sets."""

import argparse
import sys
from pathlib import Path
from typing import Any

from captioning.cli.terminal import add_encoding, count_of, progress_line
from captioning.datasets import available_datasets, generate_shapes, load, verify


def add_to(subparsers: Any) -> None:
    """Declare the command and its subcommands."""
    parser = subparsers.add_parser("data", help="download, list, verify or draw data sets")
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    downloading = parts.add_parser("download", help="download Flickr8k, or add another data set")
    given = downloading.add_mutually_exclusive_group()
    given.add_argument(
        "--zip", type=Path, metavar="FILE", help="unpack this zip file instead of downloading"
    )
    given.add_argument(
        "--folder", type=Path, metavar="DIR", help="check this folder and add it to the list"
    )
    add_encoding(downloading)
    downloading.set_defaults(run=run_download)
    listing = parts.add_parser("list", help="list the available data sets")
    listing.set_defaults(run=run_list)
    verifying = parts.add_parser("verify", help="open every photo and report problems")
    verifying.add_argument("folder", metavar="DIR")
    add_encoding(verifying)
    verifying.set_defaults(run=run_verify)
    shapes = parts.add_parser("shapes", help="draw the generated data set")
    shapes.add_argument("--count", type=int, default=2000, help="pictures")
    shapes.add_argument("--seed", type=int, default=0, help="the same seed draws the same files")
    shapes.add_argument("folder", metavar="OUT")
    shapes.set_defaults(run=run_shapes)


def run_download(arguments: argparse.Namespace) -> int:
    """Download Flickr8k from Kaggle, unpack a zip file, or add a folder to the list."""
    from captioning.datasets import download

    if arguments.folder is not None:
        installed = download.install_folder(arguments.folder, arguments.encoding)
    else:
        try:
            installed = download.run_download(
                arguments.zip, on_progress=lambda progress: progress_line(progress.sentence())
            )
        finally:
            if sys.stderr.isatty():
                print(file=sys.stderr)  # end the progress line, also before an error message
    for sentence in installed.sentences():
        print(sentence)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the name and the folder of each data set."""
    datasets = available_datasets()
    for dataset in datasets:
        print(f"{dataset.name:20} {dataset.folder}")
    if not datasets:
        print("None yet. `data download` downloads Flickr8k, `data shapes OUT` draws one.")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Open every photo; return 1 if one cannot be read."""
    dataset = load(arguments.folder, arguments.encoding)
    print(dataset.summary())
    report = verify(dataset, on_progress=count_of("photos opened"))
    for sentence in report.sentences():
        print(sentence)
    return int(not report.ok)


def run_shapes(arguments: argparse.Namespace) -> int:
    """Draw pictures of coloured shapes with five captions each."""
    dataset = generate_shapes(arguments.folder, count=arguments.count, seed=arguments.seed)
    print(dataset.summary())
    return 0
