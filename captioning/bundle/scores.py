"""A model's evaluations, each with its protocol beside it, and their table on its card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from captioning.bundle.files import read_json
from captioning.errors import BundleError

__all__ = ["MEASURES", "SCORES_BEGIN", "SCORES_END", "read_metrics", "score_table"]

MEASURES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
"""The scores of an evaluation, x100."""

SCORES_BEGIN, SCORES_END = "<!-- scores -->", "<!-- end of scores -->"
"""Between these lines of a card stands its table of scores."""

_NUMBER = (int, float)
_EVALUATION: dict[str, Any] = {
    "data": str,
    "split": str,
    "images": int,
    "beam_width": int,
    "length_penalty": _NUMBER,
    **dict.fromkeys(MEASURES, _NUMBER),
}


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

    Beside BLEU-4 and CIDEr stand the edges of their intervals, where an evaluation has them.
    """
    if not evaluations:
        return ""
    lines = [
        "| data | split | photos | beam | length penalty | BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 "
        "| ROUGE-L | CIDEr |",
        "| --- " * 11 + "|",
    ]
    for evaluation in evaluations:
        cells = [str(evaluation[k]) for k in ("data", "split", "images", "beam_width")]
        cells += [f"{evaluation['length_penalty']:g}"]
        cells += [f"{evaluation[name]:.1f}{_edges(evaluation, name)}" for name in MEASURES]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _edges(evaluation: Mapping[str, Any], name: str) -> str:
    intervals = evaluation.get("intervals", {})
    if name not in ("bleu_4", "cider") or name not in intervals:
        return ""
    return " ({:.1f} to {:.1f})".format(*intervals[name])


def _are_intervals(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(edges, list)
        and len(edges) == 2
        and all(isinstance(edge, _NUMBER) for edge in edges)
        for edges in found.values()
    )
