"""The trials of a study for a parallel coordinates plot: an axis per field, and the score."""

import math
from dataclasses import dataclass
from typing import Any

from captioning.tuning.record import Study
from captioning.tuning.settings import SCORES, SearchField


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        name: the field's dotted name, or the score's name.
        marks: its labels and their places, from 0 at the bottom to 1.
    """

    name: str
    marks: tuple[tuple[str, float], ...]


def axes_of(study: Study) -> list[Axis]:
    """Return the axes; the score is the last."""
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
