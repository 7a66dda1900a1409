"""What the process of a trial does beyond training: give up in time, and begin the next trial."""

from pathlib import Path

from captioning.errors import CaptioningError
from captioning.runs import Run, read_curves
from captioning.tuning.control import Studies
from captioning.tuning.proposals import worse_than_median
from captioning.tuning.settings import SCORES

__all__ = ["go_on", "reason_to_give_up"]


def reason_to_give_up(run: Run) -> str | None:
    """Say why a run that is a trial is not worth its next epoch; None if it is, or is no trial.

    Asked after each epoch, when the run's folder tells of it.
    """
    if "study" not in run.origin:
        return None
    try:
        study = Studies(run.folder.parents[1]).get(str(run.origin["study"]))
        config = study.config
    except CaptioningError:  # the study has been deleted: the run is a run like any other
        return None
    rows = read_curves(run).epochs
    if not config.prune or len(rows) >= run.config.epochs:
        return None
    scores = [row[config.score] for row in rows]
    median = worse_than_median(scores, study.finished)
    if median is None:
        return None
    return (
        f"Given up after epoch {len(rows)} of {run.config.epochs}: its {SCORES[config.score]} of "
        f"{max(scores):.1f} is below {median:.1f}, the median of the finished trials at that epoch."
    )


def go_on(folder: Path) -> None:
    """Let the study go on whose trial was the run in `folder`; nothing if it was none.

    Called by the run's process when it has left, so that a study needs nobody to look at it.
    """
    try:
        if "study" in Run.read(folder.absolute()).origin:
            Studies(folder.absolute().parents[1]).reconcile()
    except (CaptioningError, OSError) as error:  # whoever looks at the study takes the step
        print(f"The search could not go on: {error}", flush=True)
