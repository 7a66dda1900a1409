"""What in a run's figures ought to worry whoever watches it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Alarm", "alarms_of"]

PATIENCE = 2
"""Epochs in a row in which dev loss has to rise before it is called overfitting."""


@dataclass(frozen=True)
class Alarm:
    """Something to look at.

    Attributes:
        kind: "overfitting", "not a number" or "no progress".
        text: what was seen, with the figures that show it.
    """

    kind: str
    text: str


def alarms_of(epochs: Sequence[Mapping[str, Any]], message: str = "") -> list[Alarm]:
    """Judge a run by its finished epochs and by what it said at its end.

    >>> rows = [dict(epoch=n, loss=4 - n, dev_loss=d) for n, d in enumerate((3.0, 3.1, 3.3), 1)]
    >>> alarms_of(rows)[0].text
    'Dev loss rose from 3.000 in epoch 1 to 3.300 in epoch 3, while the training loss fell from \
3.000 to 1.000: the model begins to know its photos by heart. Its best epoch is kept.'
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
        f"{best['loss']:.3f} to {last['loss']:.3f}: the model begins to know its photos by heart. "
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
