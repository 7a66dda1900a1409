"""A study: its settings, status and trials, read from its folder, and its trials as a plot.

`trials.jsonl` is append-only.  A trial has a line when its values are proposed, one when it has a
run, one for each time that this run is resumed after a kill, and one when it ends.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from captioning.errors import ConfigError, StorageError
from captioning.runs.record import LATEST, fits
from captioning.runs.store import Record
from captioning.settings import MAX_SETTINGS_BYTES
from captioning.storage import append_json_line, read_json, read_json_lines, write_json
from captioning.tuning.settings import MOST_TRIALS, SCORES, SearchField, StudyConfig

_MOST_BYTES = 20_000_000  # 500 trials of 1,000 epochs have half of it

ENDED = ("finished", "given up", "failed")
"""Final states of a trial."""

_STATES = ("running", "stopped", "failed", "finished")
_STATUS = {"state": str, "message": str, "created": float}
_NUMBER = int | float
_TRIAL: dict[str, Any] = {
    "settings": dict,
    "state": str,
    "run": str,
    "score": _NUMBER | None,
    "scores": list,
    "seconds": _NUMBER,
    "message": str,
    "restarted_at": int,
}
"""The fields of a line of `trials.jsonl`, apart from the number of the trial."""


@dataclass(frozen=True)
class StudyStatus:
    """The status of a study.

    Attributes:
        state: "running", "stopped", "failed" or "finished".
        message: what happened, for a person.
        created: creation time, in seconds since 1970.
    """

    state: str = "stopped"
    message: str = ""
    created: float = 0.0


@dataclass(frozen=True)
class Trial:
    """A trial: one set of values, and what its run achieved.

    Attributes:
        number: from 1.
        settings: the values tried, by dotted name.
        state: "planned", "started", or one of `ENDED`.
        run: the name of its run, once it has one.
        score: on dev, x100, of the epoch that its run kept; None before there is one.
        scores: after each epoch.
        seconds: training time.
        message: what happened, for a person.
        restarts: for each time its run was resumed after a kill, the epochs it had finished.
    """

    number: int
    settings: dict[str, Any]
    state: str = "planned"
    run: str | None = None
    score: float | None = None
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    message: str = ""
    restarts: tuple[int, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED


@dataclass(frozen=True)
class Study(Record):
    """One study, as its folder was when it was read.

    Attributes:
        folder: its name is the study's id.
        status: its state.
        trials: those made so far, in their order.
    """

    kind = "search"

    status: StudyStatus
    trials: tuple[Trial, ...]

    @classmethod
    def _read(cls, folder: Path) -> "Study":
        return cls(folder, _read_status(folder), _read_trials(folder))

    @cached_property
    def config(self) -> StudyConfig:
        """Its settings.

        Raises:
            ConfigError: `config.json` is damaged.
        """
        path = self.folder / "config.json"
        try:
            values = read_json(path, dict, max_bytes=MAX_SETTINGS_BYTES)
        except StorageError as error:
            raise ConfigError(f"The search cannot be read: {error}") from error
        return StudyConfig.from_dict(values)

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that finished and have a score."""
        return tuple(t for t in self.trials if t.state == "finished" and t.score is not None)

    @property
    def best(self) -> Trial | None:
        """The trial with the best score, the first of several; None before one has finished."""
        return max(self.finished, key=lambda t: (t.score or 0.0, -t.number), default=None)

    @property
    def done(self) -> int:
        """The number of trials that have ended, in any way."""
        return sum(trial.ended for trial in self.trials)

    def write_status(self, state: str, message: str = "") -> None:
        """Replace `status.json`.

        Raises:
            OSError: it cannot be written.
        """
        status = dataclasses.replace(self.status, state=state, message=message)
        write_json(self.folder / "status.json", dataclasses.asdict(status))

    def write_trial(self, trial: int, **facts: Any) -> None:
        """Append facts about a trial to `trials.jsonl`.

        Raises:
            OSError: they cannot be written.
        """
        append_json_line(self.folder / "trials.jsonl", {"trial": trial, **facts})


def _read_status(folder: Path) -> StudyStatus:
    try:
        values = read_json(folder / "status.json", dict)
        known = fits(values, _STATUS) and values["state"] in _STATES
        if not known or not 0 <= values["created"] <= LATEST:
            raise ValueError
        return StudyStatus(values["state"], values["message"], values["created"])
    except (StorageError, ValueError):
        return StudyStatus("stopped", "status.json cannot be read; Continue resumes the search.")


def _read_trials(folder: Path) -> tuple[Trial, ...]:
    known: dict[int, dict[str, Any]] = {}
    restarts: dict[int, list[int]] = {}
    for line in _lines(folder / "trials.jsonl"):
        number = line.pop("trial")
        if number in known:
            if "restarted_at" in line:
                restarts[number].append(line.pop("restarted_at"))
            known[number] |= line
        elif "settings" in line:
            known[number], restarts[number] = {"settings": line["settings"]}, []
    return tuple(
        Trial(
            number,
            **{**facts, "scores": tuple(facts.get("scores", ()))},
            restarts=tuple(restarts[number]),
        )
        for number, facts in sorted(known.items())
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines whose facts are known and of the right type.

    Raises:
        StorageError: the file is much larger than that of any search.
    """
    for line in read_json_lines(path, max_bytes=_MOST_BYTES):
        facts = {key: value for key, value in line.items() if key in _TRIAL}
        scores = facts.get("scores", [])
        if (
            type(line.get("trial")) is int
            and 1 <= line["trial"] <= MOST_TRIALS
            and fits(facts, {key: _TRIAL[key] for key in facts})
            and all(isinstance(score, _NUMBER) for score in scores)
        ):
            yield {"trial": line["trial"], **facts}


@dataclass(frozen=True)
class Axis:
    """One axis of a parallel coordinates plot.

    Attributes:
        name: the field's dotted name, or the score's name.
        marks: its labels and their places, from 0 at the bottom to 1.
    """

    name: str
    marks: tuple[tuple[str, float], ...]


def axes_of(study: Study) -> list[Axis]:
    """Return an axis for each field of a study; the score is the last."""
    found = [Axis(field.name, _marks(field)) for field in study.config.search_fields]
    low, high = _span(study)
    marks = ((f"{low:.1f}", 0.0), (f"{high:.1f}", 1.0)) if high > low else ((f"{low:.1f}", 0.5),)
    return [*found, Axis(SCORES[study.config.score], marks)]


def places_of(study: Study) -> list[dict[str, Any]]:
    """Return the place of each trial with a score on each axis.

    Returns:
        For each trial and axis `trial`, `state`, `score`, `axis`, `value` (as a text) and `place`,
        from 0 to 1.
    """
    low, high = _span(study)
    rows: list[dict[str, Any]] = []
    for trial in study.trials:
        if trial.score is None or not trial.ended:
            continue
        same = {"trial": trial.number, "state": trial.state, "score": trial.score}
        for field in study.config.search_fields:
            value = trial.settings[field.name]
            place = _place(field, value)
            rows.append({**same, "axis": field.name, "value": _text(value), "place": place})
        place = (trial.score - low) / (high - low) if high > low else 0.5
        axis, value = SCORES[study.config.score], f"{trial.score:.1f}"
        rows.append({**same, "axis": axis, "value": value, "place": place})
    return rows


def _span(study: Study) -> tuple[float, float]:
    scores = [t.score for t in study.trials if t.ended and t.score is not None] or [0.0]
    return min(scores), max(scores)


def _marks(field: SearchField) -> tuple[tuple[str, float], ...]:
    values = field.choices or (field.low, field.high)
    return tuple((_text(value), _place(field, value)) for value in values)


def _place(field: SearchField, value: Any) -> float:
    if field.choices:
        return field.choices.index(value) / (len(field.choices) - 1)
    low, high, at = (float(number) for number in (field.low or 0, field.high or 0, value))
    if field.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
