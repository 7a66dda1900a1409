"""How captions are scored: BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D against several references.

`score_captions` takes captions as people write them and gives the figures that are reported, on
the scale of 100.  The functions beneath it take lists of words and keep each metric's own scale.
METEOR and SPICE are left out: both need Java.  `register_metric` adds further ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.errors import ConfigError
from captioning.metrics.bleu import (
    BleuScore,
    bleu_from_statistics,
    bleu_of_counts,
    bleu_statistics,
    clip_ngrams,
    corpus_bleu,
)
from captioning.metrics.cider import CiderD, DocumentFrequencies, cider
from captioning.metrics.ngrams import Tokens, check_captions
from captioning.metrics.registry import (
    METRICS,
    Metric,
    format_headline,
    headline_metrics,
    register_metric,
)
from captioning.metrics.rouge import longest_common_subsequence, rouge_l
from captioning.text import tokenize

__all__ = [
    "METRICS",
    "BleuScore",
    "CaptionScores",
    "CiderD",
    "DocumentFrequencies",
    "Metric",
    "bleu_from_statistics",
    "bleu_of_counts",
    "bleu_statistics",
    "cider",
    "clip_ngrams",
    "corpus_bleu",
    "exact_match",
    "format_headline",
    "headline_metrics",
    "is_exact",
    "longest_common_subsequence",
    "metric_rows",
    "register_metric",
    "rouge_l",
    "score_captions",
]


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """The reported figures.

    Attributes:
        values: each metric of `METRICS` by name, x100; also attributes, such as `scores.bleu_4`.
        n: images scored.
        hypothesis_length: words in all hypotheses.
        reference_length: words in the references nearest in length to the hypotheses.
    """

    values: Mapping[str, float]
    n: int
    hypothesis_length: int
    reference_length: int

    def __getattr__(self, name: str) -> float:
        """Return a metric by its name."""
        if name == "values" or name.startswith("__") or name not in self.values:
            raise AttributeError(f"There is no metric '{name}'.")
        return self.values[name]

    def as_dict(self) -> dict[str, float | int]:
        """Return all figures by name, for JSON."""
        return {
            **self.values,
            "n": self.n,
            "hypothesis_length": self.hypothesis_length,
            "reference_length": self.reference_length,
        }

    @classmethod
    def from_dict(cls, figures: Mapping[str, Any]) -> "CaptionScores":
        """Return the scores that `as_dict` gave; metrics that are missing there stay missing."""
        values = {name: figures[name] for name in METRICS if name in figures}
        lengths = (figures[name] for name in ("n", "hypothesis_length", "reference_length"))
        return cls(values, *lengths)


def score_captions(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score captions by the protocol of this project: all words count, no punctuation, no case.

    Args:
        hypotheses: one caption for each image, as text.
        references: for each image, its reference captions as text (Flickr8k has five).

    Raises:
        ConfigError: captions are not given as text, an image has no reference, there is no image,
            or the two arguments differ in length.

    >>> score_captions(["A red kite.", "Two dogs run"], [["a red kite"], ["two dogs run ."]]).bleu_3
    100.0
    """
    hypothesis_words = _tokenize_each(hypotheses, "The hypotheses")
    reference_words = [
        _tokenize_each(captions, f"The references of image {image}")
        for image, captions in enumerate(references)
    ]
    rows = metric_rows(hypothesis_words, reference_words)
    photos = np.array([len(hypothesis_words)])
    lengths = corpus_bleu(hypothesis_words, reference_words, max_order=1)
    return CaptionScores(
        values={
            name: float(metric.of_sums(rows[name].sum(axis=0, keepdims=True), photos)[0])
            for name, metric in METRICS.items()
        },
        n=len(hypothesis_words),
        hypothesis_length=lengths.hypothesis_length,
        reference_length=lengths.reference_length,
    )


def is_exact(hypothesis: str, references: Sequence[str]) -> bool:
    """Return whether a caption equals a reference, ignoring capital letters and punctuation.

    >>> is_exact("a red star", ["A red star.", "One star."])
    True
    """
    words = tokenize(hypothesis)
    return any(tokenize(reference) == words for reference in references)


def exact_match(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return the share of captions that equal one of their references, 0 to 1.

    It says little about photos, which people rarely describe in the same words.  If a program
    writes the references, n-gram scores are high as soon as the phrases are correct, and this
    score shows whether the content is.

    Args:
        hypotheses: one caption per image.
        references: for each image its references.

    Raises:
        ConfigError: there is nothing to score, or the two differ in number.
    """
    if not hypotheses or len(hypotheses) != len(references):
        raise ConfigError(
            f"Give as many hypotheses as images, and at least one, got {len(hypotheses)} "
            f"hypotheses of {len(references)} images."
        )
    pairs = zip(hypotheses, references, strict=True)
    return sum(is_exact(hypothesis, texts) for hypothesis, texts in pairs) / len(hypotheses)


def metric_rows(
    hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> dict[str, np.ndarray]:
    """Return the statistics of each metric, one row a photo.

    Args:
        hypotheses: for each photo, one list of words.
        references: for each photo, at least one list of words.

    Returns:
        By metric, `(N, C)`; metrics that share a function share the array.

    Raises:
        ConfigError: a caption is a string, a photo has no reference, there is no photo, or the two
            arguments differ in length.
    """
    check_captions(hypotheses, references)
    computed = {
        function: function(hypotheses, references)
        for function in {metric.statistics for metric in METRICS.values()}
    }
    return {name: computed[metric.statistics] for name, metric in METRICS.items()}


def _tokenize_each(captions: Sequence[str], what: str) -> list[list[str]]:
    """Split each caption into words, refusing one caption, or words, in place of captions."""
    if isinstance(captions, str):
        raise ConfigError(f"{what} are one text, {captions[:40]!r}. Give a list of captions.")
    for caption in captions:
        if not isinstance(caption, str):
            raise ConfigError(
                f"{what} hold a {type(caption).__name__} where a caption is expected as text. "
                "For captions already split into words use corpus_bleu, rouge_l and cider."
            )
    return [tokenize(caption) for caption in captions]
