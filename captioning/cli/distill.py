"""`distill --config FILE --out DIR`: train a small encoder to match a large one."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.cli.terminal import (
    add_allow_missing,
    add_encoding,
    clock,
    count_of,
    progress_line,
    quietly,
)
from captioning.cli.training_data import dataset_for
from captioning.training.distillation.settings import read_distillation_config

if TYPE_CHECKING:
    from captioning.training.distillation.learning import Report


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("distill", help="train a small encoder to match a large one")
    parser.add_argument("--config", required=True, metavar="FILE", help="configs/distill/*.json")
    parser.add_argument("--data", metavar="DIR", help="folder of the data set")
    add_encoding(parser)
    add_allow_missing(parser)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for checkpoints and the encoder; unfinished work there is resumed",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Record the teacher's outputs, train the student, and save its weights."""
    config = read_distillation_config(arguments.config).with_settings(arguments.set)
    dataset = dataset_for(config, arguments.data, arguments.encoding)
    if not arguments.allow_missing:
        dataset.check_complete("train")
    print(dataset.summary(), file=sys.stderr)
    folder = Path(arguments.out)
    with quietly():
        from captioning.bundle import lent_encoder, write_encoder
        from captioning.encoders import load_encoder
        from captioning.training.distillation.learning import distill
        from captioning.training.distillation.recording import record_views
    taught_by = lent_encoder(config.teacher_from)[0] if config.teacher_from else None
    teacher = load_encoder(config.teacher, arrays=taught_by)
    recording = record_views(
        folder / "views", config, dataset, teacher, on_progress=count_of("views recorded")
    )
    arrays = distill(
        config, recording, checkpoint_folder=folder / "checkpoints", on_report=_learned
    )
    if arrays is None:  # happens only when a caller stops it
        return 1
    write_encoder(folder, config.student, arrays)
    print(f"{folder}: an encoder of {sum(a.size for a in arrays.values()):,} numbers")
    print(f"Train a decoder on it with --set encoder_from={folder}")
    return 0


def _learned(report: "Report") -> None:
    left = clock((report.steps - report.step) * report.seconds_a_step)
    figures = f"loss {report.loss:.4f}, held out {report.held_out:.4f}, {left} left"
    progress_line(f"step {report.step:,} of {report.steps:,}: {figures}", done=True)
