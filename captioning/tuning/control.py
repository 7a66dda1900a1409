"""Creating, starting, stopping and deleting studies, and taking their next steps."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from captioning.errors import CaptioningError, ConfigError, RunError
from captioning.runs import STARTABLE, Run, Runs, read_curves
from captioning.runs.store import FolderStore
from captioning.tuning.proposals import propose, worse_than_median
from captioning.tuning.record import Study, Trial
from captioning.tuning.settings import SCORES, StudyConfig

MOST_RESTARTS = 3
"""After this many kills in the same epoch, a trial is assumed to be their cause."""

MOST_FAILURES = 3
"""After this many failures and no success, a study has settings that cannot work."""


class Studies(FolderStore[Study]):
    """The studies of one data folder.  Any number of processes may use them at once.

    Args:
        data: the data folder; by default `$CAPTIONING_DATA`.
    """

    record = Study
    folder_name = "studies"

    def __init__(self, data: Path | None = None) -> None:
        super().__init__(data)
        self.runs = Runs(self.data)

    def create(self, config: StudyConfig) -> Study:
        """Create a study that can be started.

        Raises:
            RunError: its folder cannot be written.
        """
        status = {"state": "stopped", "message": "Not started yet.", "created": time.time()}
        files = {"config.json": config.to_dict(), "status.json": status}
        return self._create(config.base.name, files, suffix="-search")

    def start(self, name: str) -> Study:
        """Start a study, or continue one that was stopped or has failed.

        A trial that was stopped resumes from its last checkpoint.

        Raises:
            RunError: there is no such study, or it has finished.
        """
        with self._lock():
            study = self.get(name)
            if study.status.state == "finished":
                raise RunError(f"The search {name} has made all its trials; start another one.")
            study.write_status("running")
            for trial in study.trials:
                run = None if trial.ended else self._run_of(study, trial)
                if run is not None and run.status.state in STARTABLE:
                    self.runs.start(run.id)
        self.reconcile()
        return self.get(name)

    def stop(self, name: str) -> Study:
        """Stop a study and its trial, which writes a checkpoint and ends within two seconds.

        Raises:
            RunError: there is no such study, or it is not under way.
        """
        with self._lock():
            study = self.get(name)
            if study.status.state != "running":
                raise RunError(f"The search {name} is {study.status.state}; it cannot be stopped.")
            study.write_status("stopped", f"Stopped after {study.done} of its trials.")
            for trial in study.trials:
                run = None if trial.ended else self._run_of(study, trial)
                if run is not None:
                    with suppress(RunError):  # it has just ended
                        self.runs.stop(run.id)
        return self.get(name)

    def make_run(self, name: str) -> Run:
        """Create a run with the best settings found and the epochs of the base configuration.

        Raises:
            RunError: no trial has finished yet.
        """
        study = self.get(name)
        best = study.best
        if best is None:
            raise RunError(f"No trial of {name} has finished yet.")
        note = (
            f"The best settings of the search {name}: its trial {best.number} had "
            f"{SCORES[study.config.score]} {best.score:.1f} on dev."
        )
        return self.runs.create(study.config.varied(best.settings), note=note)

    def reconcile(self) -> None:
        """Take all steps that are due: record the outcome of trials, and start the next ones.

        It is cheap; call it before reading studies.  Each trial calls it as it ends.
        """
        self.runs.reconcile()
        if not any(study.status.state == "running" for study in self.all()):
            return
        with self._lock():
            for study in self.all():
                if study.status.state == "running":
                    self._go_on(study)

    def _go_on(self, study: Study) -> None:
        """Take the steps that are due for one study.  Needs the lock."""
        try:
            open_ = [trial for trial in study.trials if not trial.ended]
            if not all(self._attend(study, trial) for trial in open_):
                return
            study = self.get(study.id)
            if open_ and self._hopeless(study):
                last = study.trials[-1].message
                study.write_status("failed", f"The first {MOST_FAILURES} trials failed: {last}")
            elif len(study.trials) >= study.config.trials:
                study.write_status("finished")
            else:
                self._next(study)
        except (CaptioningError, OSError) as error:
            study.write_status("failed", str(error))

    def _next(self, study: Study) -> None:
        """Propose a trial and start it; a study without new proposals has finished."""
        number = len(study.trials) + 1
        try:
            trial = Trial(number, propose(study))
        except ConfigError as error:
            study.write_status("finished" if study.finished else "failed", str(error))
            return
        study.write_trial(number, settings=trial.settings)
        self._begin(study, trial)

    def _attend(self, study: Study, trial: Trial) -> bool:
        """Take the step that an open trial needs; return whether it has ended."""
        run = self._run_of(study, trial)
        if run is None and trial.run is None:
            self._begin(study, trial)
            return False
        if run is None:
            study.write_trial(trial.number, state="failed", message="Its run was deleted.")
            return True
        match run.status.state:
            case "finished" | "failed":
                study.write_trial(trial.number, **_outcome(study, run, run.status.state))
                return True
            case "stopped" if read_curves(run).given_up:
                study.write_trial(trial.number, **_outcome(study, run, "given up"))
                return True
            case "stopped":
                message = f"Somebody stopped the run of trial {trial.number}, {run.id}."
                study.write_status("stopped", message)
            case "died":
                return self._resume(study, trial, run)
            case "ready":
                self._start(study, trial, run)
        return False

    def _resume(self, study: Study, trial: Trial, run: Run) -> bool:
        """Resume a trial whose run was killed; return whether it is given up instead."""
        epochs = len(read_curves(run).epochs)
        if trial.restarts.count(epochs) >= MOST_RESTARTS:
            study.write_trial(trial.number, **_outcome(study, run, "failed"))
            return True
        study.write_trial(trial.number, restarted_at=epochs)
        self._start(study, trial, run)
        return False

    def _begin(self, study: Study, trial: Trial) -> None:
        origin = {"study": study.id, "trial": trial.number}
        config = study.config.trial_config(trial.number, trial.settings)
        note = f"Trial {trial.number} of the search {study.id}."
        self._start(study, trial, self.runs.create(config, note=note, origin=origin))

    def _start(self, study: Study, trial: Trial, run: Run) -> None:
        if trial.run is None:
            study.write_trial(trial.number, run=run.id, state="started")
        self.runs.start(run.id)

    def _run_of(self, study: Study, trial: Trial) -> Run | None:
        """Find the run of a trial, also if a kill prevented that its name was recorded."""
        if trial.run is not None:
            with suppress(RunError):
                return self.runs.get(trial.run)
            return None
        origin = {"study": study.id, "trial": trial.number}
        return next((run for run in self.runs.all() if run.origin == origin), None)

    @staticmethod
    def _hopeless(study: Study) -> bool:
        failed = all(trial.state == "failed" for trial in study.trials)
        return len(study.trials) == MOST_FAILURES and failed

    def _prepare_deletion(self, name: str) -> None:
        """Refuse to delete a search that is under way; delete the runs of its trials."""
        if self.get(name).status.state == "running":
            raise RunError(f"The search {name} is under way; stop it first.")
        for run in self.runs.all():
            if run.origin.get("study") == name:
                self.runs.delete(run.id)


def _outcome(study: Study, run: Run, state: str) -> dict[str, Any]:
    """Return the outcome of a trial: the score of the epoch its run kept, and all scores."""
    rows, score = read_curves(run).epochs, study.config.score
    kept = max(rows, key=lambda row: row["cider"], default=None)
    return {
        "state": state,
        "message": run.status.message,
        "score": kept[score] if kept else None,
        "scores": [row[score] for row in rows],
        "seconds": rows[-1]["seconds"] if rows else 0.0,
    }


def reason_to_give_up(run: Run) -> str | None:
    """Return why a trial should not train its next epoch; None to continue, or for no trial.

    Called after each epoch, once the run's folder records it.
    """
    if "study" not in run.origin:
        return None
    try:
        study = Studies(run.folder.parents[1]).get(str(run.origin["study"]))
        config = study.config
    except CaptioningError:  # the study was deleted: the run is a normal run
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
    """Continue the study whose trial was the run in `folder`; do nothing for other runs.

    Called by the run's process at its end, so that a study goes on without any page.
    """
    try:
        if "study" in Run.read(folder.absolute()).origin:
            Studies(folder.absolute().parents[1]).reconcile()
    except (CaptioningError, OSError) as error:  # the next reader of the study takes the step
        print(f"The search could not continue: {error}", flush=True)
