"""The curves of a run, warnings about them, its best captions, and a comparison of runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from captioning.metrics import METRICS, headline_metrics, is_exact, rouge_l
from captioning.runs.record import Run, fits
from captioning.settings import flattened
from captioning.text import tokenize

Row = dict[str, Any]

_NUMBER = int | float
_PLACE = {"epoch": int, "step": int, "steps": int}
_FIGURES = ("dev_loss", "bleu_4", "cider")
_SCORES = ("loss", *_FIGURES, "seconds")
_NEEDED: dict[str, Mapping[str, Any]] = {
    "step": {**_PLACE, "loss": _NUMBER, "learning_rate": _NUMBER, "rate": _NUMBER},
    "epoch": {"epoch": int, **dict.fromkeys(_SCORES, _NUMBER)},
    "data": {"sentences": list},
    "filmstrip": {"epoch": int, "photos": list, "captions": list},
    "resume": _PLACE,
    "damaged": {"checkpoint": str},
    "given up": {"reason": str},
    "averaged": {"share": _NUMBER, "captions": list, **dict.fromkeys(_FIGURES, _NUMBER)},
}
"""The fields that each kind of event must have."""

_OPTIONAL = (*METRICS, "forced_bleu_4", "learning_rate", "n", "time")
_LARGEST = 1e30


@dataclass
class Curves:
    """The figures of a run, in the order of training.

    Steps that were repeated after a kill occur once: they are the same steps.

    Attributes:
        steps: for some steps `epoch`, `step`, `done` (epochs, as a fraction), `loss`,
            `learning_rate` and `rate`.
        epochs: for each finished epoch `epoch`, `loss`, `dev_loss`, `bleu_4`, `cider`,
            `forced_bleu_4`, `learning_rate`, `seconds`, ...
        photos: names of the photos that are captioned after each epoch.
        filmstrip: their captions, by epoch.
        resumed: where the run was resumed, in epochs as a fraction.
        damaged: names of checkpoints that were damaged.
        data: sentences about the data set.
        averaged: the figures of the average of the best epoch and the model before training that
            was kept, with its `share` of the latter; None if none was made.
        given_up: why the run ended before its last epoch; empty if it did not.
    """

    steps: list[Row] = field(default_factory=list)
    epochs: list[Row] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    filmstrip: dict[int, list[str]] = field(default_factory=dict)
    resumed: list[float] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    averaged: Row | None = None
    given_up: str = ""

    @property
    def best(self) -> Row | None:
        """The best finished epoch; None before the first."""
        named = self.epochs[-1].get("best_epoch") if self.epochs else None
        found = [row for row in self.epochs if row["epoch"] == named]
        return max(found or self.epochs, key=lambda row: row["cider"], default=None)

    @property
    def kept(self) -> Row | None:
        """The figures of the weights that are kept: `best`, or `averaged` with its `epoch`."""
        if self.best is None or self.averaged is None or not self.averaged["share"]:
            return self.best
        return {**self.averaged, "epoch": self.best["epoch"]}


def read_curves(run: Run) -> Curves:
    """Read the events of a run (`Run.events`); one that lacks a field is ignored."""
    steps: dict[tuple[int, int], Row] = {}
    epochs: dict[int, Row] = {}
    curves = Curves()
    for event in run.events():
        kind = event.get("event")
        if not isinstance(kind, str) or not fits(event, _NEEDED.get(kind, {})):
            continue
        if not _in_range(event):
            continue
        match kind:
            case "step":
                done = event["epoch"] - 1 + event["step"] / max(event["steps"], 1)
                steps[event["epoch"], event["step"]] = {**event, "done": done}
            case "epoch":
                epochs[event["epoch"]] = event
                curves.averaged = None
            case "averaged":
                curves.averaged = event
            case "filmstrip":
                curves.photos = [str(name) for name in event["photos"]]
                curves.filmstrip[event["epoch"]] = [str(text) for text in event["captions"]]
            case "resume":
                done = event["epoch"] - 1 + event["step"] / max(event["steps"], 1)
                curves.resumed.append(done)
            case "damaged":
                curves.damaged.append(event["checkpoint"])
            case "data":
                curves.data = [str(sentence) for sentence in event["sentences"]]
            case "given up":
                curves.given_up = event["reason"]
    curves.steps = [steps[key] for key in sorted(steps)]
    curves.epochs = [epochs[key] for key in sorted(epochs)]
    count = len(curves.photos)
    curves.filmstrip = {n: row for n, row in curves.filmstrip.items() if len(row) == count}
    return curves


def _in_range(event: Row) -> bool:
    """Return whether scores are numbers, counts are not negative, and all fit into float32."""
    numbers = [value for value in event.values() if isinstance(value, _NUMBER)]
    return (
        all(isinstance(event.get(name, 0), _NUMBER) for name in _OPTIONAL)
        and all(event.get(name, 0) >= 0 for name in _PLACE)
        and not any(_LARGEST < abs(number) < math.inf for number in numbers)
    )


PATIENCE = 2
"""Epochs in a row in which dev loss has to rise before it is called overfitting."""


@dataclass(frozen=True)
class Alarm:
    """A warning.

    Attributes:
        kind: "overfitting", "not a number" or "no progress".
        text: what was observed, with the figures.
    """

    kind: str
    text: str


def alarms_of(epochs: Sequence[Mapping[str, Any]], message: str = "") -> list[Alarm]:
    """Find warnings in the finished epochs of a run and in its last message.

    >>> rows = [dict(epoch=n, loss=4 - n, dev_loss=d) for n, d in enumerate((3.0, 3.1, 3.3), 1)]
    >>> alarms_of(rows)[0].text
    'Dev loss rose from 3.000 in epoch 1 to 3.300 in epoch 3, while the training loss fell from \
3.000 to 1.000: the model begins to memorize its photos. Its best epoch is kept.'
    """
    found = [_overfitting(epochs), _not_a_number(message), _no_progress(epochs)]
    return [alarm for alarm in found if alarm is not None]


def _overfitting(epochs: Sequence[Mapping[str, Any]]) -> Alarm | None:
    if len(epochs) <= PATIENCE:
        return None
    low = min(range(len(epochs)), key=lambda place: epochs[place]["dev_loss"])
    best, last = epochs[low], epochs[-1]
    rising = len(epochs) - 1 - low >= PATIENCE
    if not (rising and last["loss"] < best["loss"] and last["dev_loss"] > best["dev_loss"]):
        return None
    return Alarm(
        "overfitting",
        f"Dev loss rose from {best['dev_loss']:.3f} in epoch {best['epoch']} to "
        f"{last['dev_loss']:.3f} in epoch {last['epoch']}, while the training loss fell from "
        f"{best['loss']:.3f} to {last['loss']:.3f}: the model begins to memorize its photos. "
        "Its best epoch is kept.",
    )


def _not_a_number(message: str) -> Alarm | None:
    return Alarm("not a number", message) if message.startswith("The loss became") else None


def _no_progress(epochs: Sequence[Mapping[str, Any]]) -> Alarm | None:
    if len(epochs) <= PATIENCE or epochs[-1]["loss"] < epochs[0]["loss"]:
        return None
    first, last = epochs[0], epochs[-1]
    return Alarm(
        "no progress",
        f"The training loss was {first['loss']:.3f} after epoch {first['epoch']} and is "
        f"{last['loss']:.3f} after epoch {last['epoch']}. Another learning rate may help.",
    )


@dataclass(frozen=True)
class Comparison:
    """Runs next to each other.

    Attributes:
        runs: the runs.
        settings: those in which the runs differ, by name, one value per run.
        results: for each run `state`, `epochs`, `best_epoch`, `start_share` of the model before
            training in the weights that are kept, the headline metrics and `dev_loss` of these
            weights (None before the first epoch), and `seconds` of training.
        curves: of each run.
    """

    runs: tuple[Run, ...]
    settings: dict[str, tuple[Any, ...]]
    results: tuple[dict[str, Any], ...]
    curves: tuple[Curves, ...]


def compare_runs(runs: Sequence[Run]) -> Comparison:
    """Compare runs by their settings and the dev scores of the weights that are kept.

    Raises:
        ConfigError: a run's settings are damaged.
    """
    curves = tuple(read_curves(run) for run in runs)
    return Comparison(
        runs=tuple(runs),
        settings=_differences([flattened(run.config.to_dict()) for run in runs]),
        results=tuple(_result(run, its) for run, its in zip(runs, curves, strict=True)),
        curves=curves,
    )


def _differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    rows = {key: tuple(one[key] for one in settings) for key in (settings[0] if settings else ())}
    return {key: values for key, values in rows.items() if len(set(map(repr, values))) > 1}


def _result(run: Run, curves: Curves) -> dict[str, Any]:
    kept = curves.kept
    names = (*(metric.name for metric in headline_metrics()), "dev_loss")
    figures = {name: kept.get(name) if kept else None for name in names}
    return {
        "state": run.status.state,
        "epochs": len(curves.epochs),
        "best_epoch": kept["epoch"] if kept else None,
        "start_share": kept.get("share", 0.0) if kept else None,
        **figures,
        "seconds": curves.epochs[-1]["seconds"] if curves.epochs else 0.0,
    }


@dataclass(frozen=True)
class WrittenCaption:
    """The caption of a dev photo by a run's model.

    Attributes:
        photo: its name.
        caption: what the model wrote.
        nearest: the most similar reference.
        rouge_l: ROUGE-L against that reference, x100.
        exact: whether it equals a reference word for word.
    """

    photo: str
    caption: str
    nearest: str
    rouge_l: float
    exact: bool


def best_captions(curves: Curves, references: Mapping[str, Sequence[str]]) -> list[WrittenCaption]:
    """Return the captions of the weights that are kept, those nearest to a reference first.

    Args:
        curves: of the run.
        references: of each photo, by its name; a photo without any is left out.
    """
    kept = curves.kept
    captions = kept.get("captions") or curves.filmstrip.get(kept["epoch"], []) if kept else []
    found = [
        _written(photo, caption, references[photo])
        for photo, caption in zip(curves.photos, map(str, captions), strict=False)
        if references.get(photo)
    ]
    return sorted(found, key=lambda one: (-one.exact, -one.rouge_l))


def _written(photo: str, caption: str, references: Sequence[str]) -> WrittenCaption:
    words = tokenize(caption)
    rows = [[tokenize(text)] for text in references]
    scores = rouge_l([words] * len(rows), rows).per_image
    best = int(scores.argmax())
    score = 100 * float(scores[best])
    return WrittenCaption(photo, caption, references[best], score, is_exact(caption, references))
