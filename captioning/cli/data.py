"""`data`: fetch a data set, list those at hand, look through one, or draw one."""

import argparse
import sys
from pathlib import Path
from typing import Any

from captioning.cli.terminal import add_encoding, progress_line
from captioning.datasets import available_datasets, generate_shapes, load, verify

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command and its parts."""
    parser = subparsers.add_parser("data", help="fetch a data set, look through it, or draw one")
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    downloading = parts.add_parser("download", help="bring Flickr8k, or another data set, here")
    given = downloading.add_mutually_exclusive_group()
    given.add_argument("--zip", type=Path, metavar="FILE", help="unpack this archive instead")
    given.add_argument("--folder", type=Path, metavar="DIR", help="check this folder, remember it")
    add_encoding(downloading)
    downloading.set_defaults(run=run_download)
    listing = parts.add_parser("list", help="tell which data sets are at hand")
    listing.set_defaults(run=run_list)
    verifying = parts.add_parser("verify", help="open every photo and tell what is odd")
    verifying.add_argument("folder", metavar="DIR")
    add_encoding(verifying)
    verifying.set_defaults(run=run_verify)
    shapes = parts.add_parser("shapes", help="draw the generated data set")
    shapes.add_argument("--count", type=int, default=2000, help="pictures")
    shapes.add_argument("--seed", type=int, default=0, help="equal seeds draw equal files")
    shapes.add_argument("folder", metavar="OUT")
    shapes.set_defaults(run=run_shapes)


def run_download(arguments: argparse.Namespace) -> int:
    """Fetch Flickr8k from Kaggle, unpack an archive, or remember a folder."""
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
                print(file=sys.stderr)  # leave the line of the progress, also before an error
    for sentence in installed.sentences():
        print(sentence)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the name and the folder of each data set."""
    datasets = available_datasets()
    for dataset in datasets:
        print(f"{dataset.name:20} {dataset.folder}")
    if not datasets:
        print("None yet. `data download` fetches Flickr8k, `data shapes OUT` draws one.")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Open every photo; the exit status is 1 if one cannot be read."""
    dataset = load(arguments.folder, arguments.encoding)
    print(dataset.summary())
    report = verify(
        dataset,
        on_progress=lambda done, total: progress_line(
            f"{done:,} of {total:,} photos opened", done=done == total
        ),
    )
    for sentence in report.sentences():
        print(sentence)
    return int(not report.ok)


def run_shapes(arguments: argparse.Namespace) -> int:
    """Draw pictures of coloured shapes with five captions each."""
    dataset = generate_shapes(arguments.folder, count=arguments.count, seed=arguments.seed)
    print(dataset.summary())
    return 0
