"""`data verify DIR` and `data shapes OUT`: look through a data set, or draw one."""

import argparse
from typing import Any

from captioning.commands.terminal import progress_line
from captioning.datasets import generate_shapes, load, verify

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command and its two parts."""
    parser = subparsers.add_parser("data", help="look through a data set, or draw one")
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    verifying = parts.add_parser("verify", help="open every photo and tell what is odd")
    verifying.add_argument("folder", metavar="DIR")
    verifying.set_defaults(run=run_verify)
    shapes = parts.add_parser("shapes", help="draw the generated data set")
    shapes.add_argument("--count", type=int, default=2000, help="pictures")
    shapes.add_argument("--seed", type=int, default=0, help="equal seeds draw equal files")
    shapes.add_argument("folder", metavar="OUT")
    shapes.set_defaults(run=run_shapes)


def run_verify(arguments: argparse.Namespace) -> int:
    """Open every photo; the exit status is 1 if one cannot be read."""
    dataset = load(arguments.folder)
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
