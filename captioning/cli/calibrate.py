"""`calibrate --model NAME --data DIR`: calibrate confidence and the check for unusual photos."""

import argparse
import sys
from typing import Any

from captioning.cli.terminal import (
    add_allow_missing,
    add_encoding,
    count_of,
    print_json,
    quietly,
)


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "calibrate", help="calibrate a model's confidence and its check for unusual photos"
    )
    parser.add_argument("--model", required=True, help="name or folder of a model")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        action="append",
        help="folder of a data set; may be repeated",
    )
    add_encoding(parser)
    add_allow_missing(parser)
    parser.add_argument("--save", action="store_true", help="save the calibration in the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Calibrate the model and print how well the calibration works."""
    from captioning.bundle import keep_calibration
    from captioning.datasets import load

    datasets = [load(folder, arguments.encoding) for folder in arguments.data]
    for dataset in datasets:
        if not arguments.allow_missing:
            dataset.check_complete("train", "dev")
        print(dataset.summary(), file=sys.stderr)
    with quietly():
        from captioning.calibration.fitting import calibrate
        from captioning.captioner import Captioner
    captioner = Captioner.load(arguments.model)
    report = calibrate(captioner, datasets, on_progress=count_of("photos"))
    if arguments.save:
        keep_calibration(captioner.bundle, report.calibration)
    result = report.to_dict()
    if arguments.json:
        print_json(result)
    else:
        for name, value in result.items():
            print(f"{name:>24}  {value}")
    return 0
