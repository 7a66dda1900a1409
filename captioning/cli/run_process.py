"""`train --run DIR`: the process of a run that the app or a hyperparameter search created."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from captioning.cli.terminal import quietly
from captioning.cli.training_data import dataset_for, further_datasets
from captioning.runs import Execution, Run, execute
from captioning.tuning import go_on, reason_to_give_up

Show = Callable[[dict[str, Any]], None]


def run_as_process(folder: Path, show: Show) -> NoReturn:
    """Train as a run's folder says, start the next run of its search, and exit.

    Args:
        folder: of the run.
        show: prints an event.
    """
    status = execute(folder, partial(_train, show=show))
    go_on(folder)
    # The next run may have started: exit at once instead of shutting TensorFlow down.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _train(run: Run, execution: Execution, *, show: Show) -> bool:
    """Train as a run's folder says; return whether training finished."""
    execution.set_activity("reading the data set")
    dataset = dataset_for(run.config, None)
    execution.set_activity("starting TensorFlow")
    with quietly():
        from captioning.training import train

    def emit(event: dict[str, Any]) -> None:
        show(event)
        execution.emit(event)
        if event["event"] == "epoch" and (reason := reason_to_give_up(run)):
            execution.give_up(reason)

    execution.set_activity("reading photos")
    bundle = train(
        run.config,
        dataset,
        extra=further_datasets(run.config),
        bundle_folder=run.bundle_folder,
        checkpoint_folder=run.folder / "checkpoints",
        command=f"python -m captioning train --run {run.id}",
        keep_best=True,
        on_event=emit,
        should_stop=execution.should_stop,
    )
    return bundle is not None
