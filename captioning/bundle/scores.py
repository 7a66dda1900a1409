"""A model's evaluations, each with its protocol beside it, and their table on its card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from captioning.bundle.files import read_json
from captioning.errors import BundleError
from captioning.metrics import METRICS, Metric

__all__ = ["SCORES_BEGIN", "SCORES_END", "read_metrics", "score_table"]

SCORES_BEGIN, SCORES_END = "<!-- scores -->", "<!-- end of scores -->"
"""Between these lines of a card stands its table of scores."""

_NUMBER = (int, float)
_EVALUATION: dict[str, Any] = {
    "data": str,
    "split": str,
    "images": int,
    "beam_width": int,
    "length_penalty": _NUMBER,
}
"""What stands beside the scores.  The metrics differ from version to version: see `METRICS`."""


def read_metrics(path: Path) -> dict[str, Any] | None:
    """Read a bundle's `metrics.json`; None if there is none.

    Raises:
        BundleError: it is damaged, or an evaluation in it lacks what pages and commands print.
    """
    if not path.exists():
        return None
    metrics = read_json(path)
    evaluations = metrics.get("evaluations", [])
    if not isinstance(evaluations, list):
        raise BundleError(f"{path}: expected a list of evaluations, found {evaluations!r}.")
    for evaluation in evaluations:
        found = evaluation if isinstance(evaluation, dict) else {}
        wrong = [
            name for name, kind in _EVALUATION.items() if not isinstance(found.get(name), kind)
        ]
        wrong += [name for name in METRICS if not isinstance(found.get(name, 0.0), _NUMBER)]
        if not _are_intervals(found.get("intervals", {})):
            wrong.append("intervals")
        if wrong:
            raise BundleError(
                f"{path}: the {wrong[0]} of an evaluation is missing or strange: "
                f"found {found.get(wrong[0])!r}."
            )
    return metrics


def score_table(evaluations: Sequence[Mapping[str, Any]]) -> str:
    """Write evaluations as a Markdown table; the empty string if there are none.

    Each metric that one of them has is a column; a headline metric stands with its interval.
    """
    if not evaluations:
        return ""
    metrics = [m for m in METRICS.values() if any(m.name in found for found in evaluations)]
    titles = ["data", "split", "photos", "beam", "length penalty", *(m.label for m in metrics)]
    lines = ["| " + " | ".join(titles) + " |", "| --- " * len(titles) + "|"]
    for evaluation in evaluations:
        cells = [str(evaluation[k]) for k in ("data", "split", "images", "beam_width")]
        cells += [f"{evaluation['length_penalty']:g}"]
        cells += [_cell(evaluation, metric) for metric in metrics]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(evaluation: Mapping[str, Any], metric: Metric) -> str:
    if metric.name not in evaluation:
        return "–"
    score, intervals = f"{evaluation[metric.name]:.1f}", evaluation.get("intervals", {})
    if not metric.headline or metric.name not in intervals:
        return score
    return score + " ({:.1f} to {:.1f})".format(*intervals[metric.name])


def _are_intervals(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(edges, list)
        and len(edges) == 2
        and all(isinstance(edge, _NUMBER) for edge in edges)
        for edges in found.values()
    )
