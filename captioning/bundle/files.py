"""The files of a bundle: JSON, text, arrays, and the evaluations in `metrics.json`.

Each error names the file.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from captioning.errors import BundleError, quoted
from captioning.metrics import METRICS, Metric
from captioning.storage import read_json, read_regular_file, replacing

_MAX_TEXT = 50_000_000

EVALUATIONS = {False: "evaluations", True: "evaluations_with_neutral_words"}
"""The keys of `metrics.json` for scores of the model's own words, and of neutral words."""


def read_text(path: Path) -> str:
    """Read a text file; return an empty text if there is none.

    Raises:
        BundleError: the file cannot be read.
    """
    try:
        if not path.is_file():
            return ""
        return read_regular_file(path, _MAX_TEXT).decode("utf-8", "replace")
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name.

    Raises:
        BundleError: the file is missing or damaged, or its arrays have a type unknown to NumPy.
    """
    if path.exists() and not path.is_file():
        raise BundleError(f"{path} is not a file; copy the whole folder again.")
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; copy the whole folder again.") from error
    except (OSError, ValueError, SafetensorError) as error:  # ValueError: impossible shapes
        raise BundleError(f"{path} is damaged: {error}.") from error
    except (TypeError, AttributeError) as error:  # for types unknown to NumPy
        raise BundleError(
            f"{path}: expected arrays of float16 or float32, found another type ({error})."
        ) from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write or replace arrays by name, as float16 if their numbers are in its range."""
    stored = {name: _narrowed(value) for name, value in arrays.items()}
    with replacing(path, durable=True) as part:
        part.write_bytes(save(stored))  # `save_file` would make it readable to its owner alone


def _narrowed(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrow = np.asarray(value, np.float16, order="C")
    return narrow if np.isfinite(narrow).all() else np.asarray(value, np.float32, order="C")


SCORES_BEGIN, SCORES_END = "<!-- scores -->", "<!-- end of scores -->"
"""These lines of a model card enclose its table of scores."""

_EVALUATION: dict[str, Any] = {
    "data": str,
    "split": str,
    "images": int,
    "beam_width": int,
    "length_penalty": (int, float),
}
"""The fields of an evaluation apart from its scores; the metrics may differ between versions."""


def read_metrics(path: Path) -> dict[str, Any] | None:
    """Read a bundle's `metrics.json`; None if there is none.

    Raises:
        BundleError: it is damaged, or an evaluation in it lacks a field.
    """
    if not path.exists():
        return None
    metrics = read_json(path, dict, error=BundleError)
    for key in EVALUATIONS.values():
        _check_evaluations(path, metrics.get(key, []))
    return metrics


def _check_evaluations(path: Path, evaluations: Any) -> None:
    if not isinstance(evaluations, list):
        raise BundleError(f"{path}: expected a list of evaluations, found {quoted(evaluations)}.")
    for evaluation in evaluations:
        found = evaluation if isinstance(evaluation, dict) else {}
        wrong = [
            name for name, kind in _EVALUATION.items() if not isinstance(found.get(name), kind)
        ]
        numbers = ("length_penalty", *METRICS)
        wrong += [name for name in numbers if not _is_number(found.get(name, 0.0))]
        if not _are_intervals(found.get("intervals", {})):
            wrong.append("intervals")
        if wrong:
            raise BundleError(
                f"{path}: the {wrong[0]} of an evaluation is missing or wrong: "
                f"found {quoted(found.get(wrong[0]))}."
            )


def score_table(evaluations: Sequence[Mapping[str, Any]]) -> str:
    """Return evaluations as a Markdown table, or an empty string if there are none.

    Each metric in any of them is a column; headline metrics are shown with their intervals.
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


def _is_number(value: Any) -> bool:
    """Whether a value can be written as a float; JSON has integers that are too large for one."""
    return isinstance(value, (int, float)) and not abs(value) > sys.float_info.max


def _are_intervals(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(edges, list) and len(edges) == 2 and all(map(_is_number, edges))
        for edges in found.values()
    )
