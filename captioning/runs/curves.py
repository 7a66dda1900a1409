"""What a run has told so far, as tables to draw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from captioning.runs.record import Run, fits
from captioning.storage import read_json_lines

__all__ = ["Curves", "read_curves"]

Row = dict[str, Any]

_NUMBER = int | float
_PLACE = {"epoch": int, "step": int, "steps": int}
_SCORES = ("loss", "dev_loss", "bleu_4", "cider", "seconds")
_NEEDED: dict[str, Mapping[str, Any]] = {
    "step": {**_PLACE, "loss": _NUMBER, "learning_rate": _NUMBER, "rate": _NUMBER},
    "epoch": {"epoch": int, **dict.fromkeys(_SCORES, _NUMBER)},
    "filmstrip": {"epoch": int, "photos": list, "captions": list},
    "resume": _PLACE,
    "damaged": {"checkpoint": str},
    "given up": {"reason": str},
}
"""What the events that are read here must have."""


@dataclass
class Curves:
    """Figures of a run, in the order of training.

    Steps that were taken again after a kill are there once: they are the same steps.

    Attributes:
        steps: for some steps `epoch`, `step`, `done` (epochs, as a fraction), `loss`,
            `learning_rate` and `rate`.
        epochs: for each finished epoch `epoch`, `loss`, `dev_loss`, `bleu_4`, `cider`,
            `forced_bleu_4`, `learning_rate`, `seconds`, ...
        photos: names of the photos of the filmstrip.
        filmstrip: their captions, by epoch.
        resumed: where the run was taken up again, in epochs as a fraction.
        damaged: names of checkpoints that were found damaged.
        given_up: why the run ended itself before its last epoch; empty if it did not.
    """

    steps: list[Row] = field(default_factory=list)
    epochs: list[Row] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    filmstrip: dict[int, list[str]] = field(default_factory=dict)
    resumed: list[float] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    given_up: str = ""


def read_curves(run: Run) -> Curves:
    """Read what a run has told; a line that is cut short or lacks a field is left out."""
    steps: dict[tuple[int, int], Row] = {}
    epochs: dict[int, Row] = {}
    curves = Curves()
    for event in read_json_lines(run.folder / "events.jsonl"):
        kind = event.get("event")
        if not isinstance(kind, str) or not fits(event, _NEEDED.get(kind, {})):
            continue
        match kind:
            case "step":
                done = event["epoch"] - 1 + event["step"] / max(event["steps"], 1)
                steps[event["epoch"], event["step"]] = {**event, "done": done}
            case "epoch":
                epochs[event["epoch"]] = event
            case "filmstrip":
                curves.photos = [str(name) for name in event["photos"]]
                curves.filmstrip[event["epoch"]] = [str(text) for text in event["captions"]]
            case "resume":
                done = event["epoch"] - 1 + event["step"] / max(event["steps"], 1)
                curves.resumed.append(done)
            case "damaged":
                curves.damaged.append(event["checkpoint"])
            case "given up":
                curves.given_up = event["reason"]
    curves.steps = [steps[key] for key in sorted(steps)]
    curves.epochs = [epochs[key] for key in sorted(epochs)]
    whole = {n: said for n, said in curves.filmstrip.items() if len(said) == len(curves.photos)}
    curves.filmstrip = whole
    return curves
