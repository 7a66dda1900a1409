"""Exports of an evaluation: everything as one JSON object, the captions as a table."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from captioning.csv_text import BOM, guarded
from captioning.evaluation.baselines import Baseline
from captioning.evaluation.protocols import MistakenScore
from captioning.evaluation.resampling import SAMPLES, intervals
from captioning.evaluation.scoring import PhotoScores, Variety
from captioning.text import clean


def evaluation_report(
    result: Mapping[str, Any],
    scores: PhotoScores,
    variety: Variety,
    *,
    baselines: Sequence[Baseline] = (),
    mistakes: Sequence[MistakenScore] = (),
) -> dict[str, Any]:
    """Return an evaluation as plain data, for JSON.

    Args:
        result: the scores with their protocol, as `Evaluation.to_dict` returns them.
        scores: of each photo.
        variety: of the captions.
        baselines: to compare the model with.
        mistakes: the same captions scored in other ways.
    """
    report: dict[str, Any] = {
        **result,
        "intervals": {name: _rounded(edges) for name, edges in intervals(scores).items()},
        "intervals_protocol": f"95% percentile bootstrap, {SAMPLES} draws of the photos",
        "captions": {name: round(value, 4) for name, value in variety.to_dict().items()},
    }
    if baselines:
        report["baselines"] = {b.name: _figures(b) for b in baselines}
    if mistakes:
        report["other_ways_of_scoring"] = {s.mistake.name: _rounded(s.bleu) for s in mistakes}
    return report


def captions_csv(captions: Sequence[str], scores: PhotoScores, training: Collection[str]) -> bytes:
    """Write a row for each photo: its caption and its scores.

    Args:
        captions: in the order of `scores`.
        scores: of the photos; BLEU is that of the photo by itself.
        training: cleaned training captions, to mark captions that are copies.

    Returns:
        CSV as UTF-8 with a byte-order mark, for Excel; no cell is run as a formula.
    """
    table = io.StringIO()
    table.write(BOM)
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["photo", "caption", *scores.rows, "words", "in_training"])
    columns = [scores.per_photo(name) for name in scores.rows]
    for place, (name, caption) in enumerate(zip(scores.names, captions, strict=True)):
        text = clean(caption)
        figures = [f"{column[place]:.2f}" for column in columns]
        rows.writerow(
            [guarded(name), guarded(caption), *figures, len(text.split()), int(text in training)]
        )
    return table.getvalue().encode()


def _figures(baseline: Baseline) -> dict[str, Any]:
    figures: dict[str, Any] = {
        name: round(value, 2) for name, value in baseline.scores.figures.items()
    }
    if baseline.example is not None:
        figures["caption"] = baseline.example
    return figures


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]
