"""What a run has told so far, as tables to draw."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from captioning.runs.record import Run

__all__ = ["Curves", "read_curves", "read_events"]

Row = dict[str, Any]


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
    """Read what a run has told; a line that a kill cut short is left out."""
    steps: dict[tuple[int, int], Row] = {}
    epochs: dict[int, Row] = {}
    curves = Curves()
    for event in read_events(run.folder / "events.jsonl"):
        match event.get("event"):
            case "step":
                done = event["epoch"] - 1 + event["step"] / max(event["steps"], 1)
                steps[event["epoch"], event["step"]] = {**event, "done": done}
            case "epoch":
                epochs[event["epoch"]] = event
            case "filmstrip":
                curves.photos = event["photos"]
                curves.filmstrip[event["epoch"]] = event["captions"]
            case "resume":
                done = event["epoch"] - 1 + event["step"] / max(event["steps"], 1)
                curves.resumed.append(done)
            case "damaged":
                curves.damaged.append(event["checkpoint"])
            case "given up":
                curves.given_up = event["reason"]
    curves.steps = [steps[key] for key in sorted(steps)]
    curves.epochs = [epochs[key] for key in sorted(epochs)]
    return curves


def read_events(path: Path) -> Iterator[Row]:
    """Yield the events of `events.jsonl` in the order in which they were written."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event
