"""`calibrate --model NAME --data DIR`: fit how sure a model may be, and what is familiar to it."""

import argparse
from typing import Any

from captioning.cli.terminal import add_encoding, print_json, progress_line, quietly

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "calibrate", help="fit how sure a model may be, and which photos are familiar to it"
    )
    parser.add_argument("--model", required=True, help="a bundle's name or folder")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        action="append",
        help="a data set's folder; may be repeated",
    )
    add_encoding(parser)
    parser.add_argument("--save", action="store_true", help="keep it in the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Calibrate and print how well it does."""
    from captioning.bundle import keep_calibration
    from captioning.datasets import load

    with quietly():
        from captioning.calibration.fitting import calibrate
        from captioning.captioner import Captioner
    captioner = Captioner.load(arguments.model)
    report = calibrate(
        captioner,
        [load(folder, arguments.encoding) for folder in arguments.data],
        on_progress=lambda done, total: progress_line(
            f"{done:,} of {total:,} photos", done=done == total
        ),
    )
    if arguments.save:
        keep_calibration(captioner.bundle, report.calibration)
    result = report.to_dict()
    if arguments.json:
        print_json(result)
    else:
        for name, value in result.items():
            print(f"{name:>24}  {value}")
    return 0
