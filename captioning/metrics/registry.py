"""The metrics: one entry each, read by evaluations, model cards, commands, pages and charts.

A metric counts each photo by itself (`statistics`) and turns the sum over photos into a score
(`score`), so that photos can be resampled, swapped and ranked without scoring captions again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.errors import ConfigError
from captioning.metrics.bleu import bleu_of_counts, bleu_statistics
from captioning.metrics.cider import cider
from captioning.metrics.ngrams import Tokens
from captioning.metrics.rouge import rouge_l

Statistics = Callable[[Sequence[Tokens], Sequence[Sequence[Tokens]]], NDArray[Any]]
Score = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def mean_over_photos(sums: NDArray[np.float64], photos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of a metric that gives each photo one score."""
    return sums[:, 0] / photos


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How captions are scored.

    Attributes:
        name: its key in JSON files, such as "bleu_4".
        label: what people read, such as "BLEU-4".
        help: what it measures, in one sentence.
        order: its place in tables; smaller comes first.
        statistics: takes N hypotheses and their references as lists of words and returns one row
            a photo, `(N, C)`.  Metrics that share a function share its result.
        score: takes the sums of S collections' rows, `(S, C)`, and their numbers of photos,
            `(S,)`, and returns the scores, `(S,)`.
        scale: factor of the reported score.
        headline: whether it is among the few scores that are always shown.
    """

    name: str
    label: str
    help: str
    order: int
    statistics: Statistics
    score: Score = mean_over_photos
    scale: float = 100.0
    headline: bool = False

    def of_sums(self, sums: NDArray[Any], photos: NDArray[Any]) -> NDArray[np.float64]:
        """Return the reported scores of S collections from the sums of their rows, `(S,)`."""
        return self.scale * self.score(np.asarray(sums, np.float64), np.asarray(photos, np.float64))


METRICS: dict[str, Metric] = {}
"""All metrics by name, in the order of tables."""


def register_metric(metric: Metric) -> None:
    """Add a metric, so that evaluations, cards, commands and pages show it from now on.

    Raises:
        ConfigError: there is a metric of that name.
    """
    if metric.name in METRICS:
        raise ConfigError(f"There is already a metric '{metric.name}'. Choose another name.")
    ordered = sorted([*METRICS.values(), metric], key=lambda entry: entry.order)
    METRICS.clear()
    METRICS.update((entry.name, entry) for entry in ordered)


def headline_metrics() -> list[Metric]:
    """Return the few metrics that are always shown."""
    return [metric for metric in METRICS.values() if metric.headline]


def format_headline(scores: Mapping[str, Any]) -> str:
    """Write the headline metrics that `scores` holds.

    >>> format_headline({"bleu_1": 60.0, "bleu_4": 21.52, "cider": 49.4})
    'BLEU-4 21.5, CIDEr 49.4'
    """
    return ", ".join(
        f"{metric.label} {scores[metric.name]:.1f}"
        for metric in headline_metrics()
        if metric.name in scores
    )


def _bleu_rows(
    hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> NDArray[np.int64]:
    pairs = zip(hypotheses, references, strict=True)
    return np.stack([bleu_statistics(hypothesis, texts) for hypothesis, texts in pairs])


def _bleu(
    order: int, sums: NDArray[np.float64], photos: NDArray[np.float64]
) -> NDArray[np.float64]:
    return bleu_of_counts(sums)[:, order - 1]


for _order in range(1, 5):
    register_metric(
        Metric(
            name=f"bleu_{_order}",
            label=f"BLEU-{_order}",
            help=f"Corpus BLEU with n-grams of up to {_order} words, without smoothing.",
            order=10 * _order,
            statistics=_bleu_rows,
            score=partial(_bleu, _order),
            headline=_order == 4,
        )
    )
register_metric(
    Metric(
        name="rouge_l",
        label="ROUGE-L",
        help="F-score of the longest common subsequence of words.",
        order=50,
        statistics=lambda hypotheses, references: rouge_l(hypotheses, references).per_image[
            :, None
        ],
    )
)
register_metric(
    Metric(
        name="cider",
        label="CIDEr",
        help="CIDEr-D: similarity to all references; rare n-grams count more.",
        order=60,
        statistics=lambda hypotheses, references: cider(hypotheses, references).per_image[:, None],
        headline=True,
    )
)
