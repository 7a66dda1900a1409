"""`reproduce NAME --data DIR`: train every stage of a model that comes with a configuration."""

import argparse
import shlex
import subprocess
import sys
from typing import Any

from captioning.runs.stages import Stage, stages_of
from captioning.storage import data_folder


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("reproduce", help="train a model and all it starts from")
    parser.add_argument("name", metavar="NAME", help="a model, or a file of configs/ without .json")
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="folder or name of the data set; repeat it for the further ones, in order",
    )
    parser.add_argument(
        "--sentences", metavar="FILE", help="sentences without photos, for stages that read them"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change each training"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands and stop")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the stages that are missing, then the last; an interrupted stage is resumed."""
    stages = stages_of(arguments.name)
    for number, stage in enumerate(stages, 1):
        words = _words(stage, arguments)
        done = stage.made_here if stage is stages[-1] else stage.available
        command = shlex.join(["python", "-m", "captioning", *words])
        print(f"{number} of {len(stages)}: {command}{'  (done)' if done else ''}", flush=True)
        if arguments.dry_run or done:
            continue
        # A process of its own: what one stage leaves in memory and random states is gone.
        status = subprocess.run([sys.executable, "-m", "captioning", *words]).returncode  # noqa: S603
        if status:
            return status
    return 0


def _words(stage: Stage, arguments: argparse.Namespace) -> list[str]:
    """Return the words of a stage's command."""
    data = [word for name in arguments.data[: len(stage.data)] for word in ("--data", name)]
    config = ["--config", str(stage.path)]
    if stage.distills:
        return ["distill", *config, *data, "--out", stage.makes]
    settings = list(arguments.set)
    if arguments.sentences and stage.reads_sentences:
        settings.append(f"sentences={arguments.sentences}")
    sets = [word for setting in settings for word in ("--set", setting)]
    checkpoints = str(data_folder() / "checkpoints" / stage.makes)
    return ["train", *config, *data, *sets, "--checkpoints", checkpoints]
