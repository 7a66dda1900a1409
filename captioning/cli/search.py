"""`tune CONFIG --fields ...`: search for good hyperparameters with short runs, scored on dev."""

import argparse
import sys
import time
from typing import Any

from captioning.cli.terminal import clock, print_json, progress_line
from captioning.config import read_training_config
from captioning.errors import ConfigError, RunError
from captioning.runs import Runs
from captioning.tuning import SCORES, Studies, Study, StudyConfig, Trial

LOOK_SECONDS = 0.5


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "tune",
        aliases=["search"],
        help="search for good hyperparameters",
        description="Try settings in short runs, one at a time; each one learns from earlier ones. "
        "The search continues if this command is killed; Ctrl-C stops both.",
    )
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="one of configs/*.json")
    parser.add_argument(
        "--fields",
        nargs="+",
        default=[],
        metavar="FIELD",
        help="what to vary: learning_rate=1e-4:1e-2:log dropout=0.1:0.6 decoder.kind=merge,inject",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="number of trials; 8 by default")
    parser.add_argument("--epochs", type=int, metavar="N", help="epochs per trial; 2 by default")
    parser.add_argument("--limit-images", type=int, metavar="N", help="training photos per trial")
    parser.add_argument("--score", choices=tuple(SCORES), help="score on dev to maximise")
    parser.add_argument("--seed", type=int, help="random seed of the proposals")
    parser.add_argument("--no-pruning", action="store_true", help="do not stop weak trials early")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting"
    )
    parser.add_argument("--resume", metavar="ID", help="continue a stopped search")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the search and report the best settings."""
    studies = Studies()
    name = arguments.resume or studies.create(_study_config(arguments)).id
    study = studies.start(name)
    try:
        study = _follow(studies, study)
    except KeyboardInterrupt:
        studies.stop(name)
        hint = f"Stopped. Continue with: python -m captioning tune --resume {name}"
        print(hint, file=sys.stderr)
        return 130
    if study.status.state != "finished":
        raise RunError(f"The search {study.id} has {study.status.state}: {study.status.message}")
    _report(study, as_json=arguments.json)
    return 0


def _study_config(arguments: argparse.Namespace) -> StudyConfig:
    if arguments.config is None:
        raise ConfigError("Name a configuration (one of configs/*.json), or a search to --resume.")
    asked = {
        "trials": arguments.trials,
        "epochs": arguments.epochs,
        "limit_images": arguments.limit_images,
        "score": arguments.score,
        "seed": arguments.seed,
        "prune": False if arguments.no_pruning else None,
    }
    return StudyConfig(
        base=read_training_config(arguments.config).with_settings(arguments.set),
        fields=tuple(arguments.fields),
        **{key: value for key, value in asked.items() if value is not None},
    )


def _follow(studies: Studies, study: Study) -> Study:
    """Print each trial when it ends and show the current one, until the search ends."""
    reported = study.done
    while True:
        studies.reconcile()
        study = studies.get(study.id)
        for trial in [trial for trial in study.trials if trial.ended][reported:]:
            progress_line(_line(study, trial), done=True)
            reported += 1
        if study.status.state != "running":
            return study
        _show_present(studies.runs, study)
        time.sleep(LOOK_SECONDS)


def _show_present(runs: Runs, study: Study) -> None:
    trial = next((trial for trial in study.trials if not trial.ended and trial.run), None)
    if trial is not None:
        status = runs.get(str(trial.run)).status
        where = f"epoch {status.epoch} of {status.epochs}, step {status.step} of {status.steps}"
        progress_line(f"trial {trial.number} of {study.config.trials}: {status.state}, {where}")


def _line(study: Study, trial: Trial) -> str:
    values = ", ".join(f"{name}={_short(value)}" for name, value in trial.settings.items())
    score = "no score" if trial.score is None else f"{SCORES[study.config.score]} {trial.score:.1f}"
    ended = "" if trial.state == "finished" else f" ({trial.state})"
    return f"trial {trial.number} of {study.config.trials}: {score}{ended}, {values}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _report(study: Study, *, as_json: bool) -> None:
    best = study.best
    if best is None:
        raise RunError(f"No trial of the search {study.id} finished.")
    if as_json:
        values = {"score": round(best.score or 0.0, 2), "of": study.config.score, "split": "dev"}
        found = {"search": study.id, "trials": study.done, "best": best.number, **values}
        print_json({**found, "settings": best.settings, "run": best.run})
        return
    spent = clock(sum(trial.seconds for trial in study.trials))
    print(f"Best of {study.done} trials ({spent} of training): {_line(study, best)}")
    settings = " ".join(f"--set {name}={value}" for name, value in best.settings.items())
    print(f"Train with it: python -m captioning train --config ... {settings}")
