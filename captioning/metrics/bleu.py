"""Corpus BLEU without smoothing, as Flickr8k is scored; equal to nltk's.

BLEU is computed from sums of counts: `bleu_statistics` counts one image, and `bleu_from_statistics`
converts the sum of such counts to scores.  So a bootstrap sums the counts again without counting
again, and a page can show the arithmetic.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captioning.errors import ConfigError
from captioning.metrics.ngrams import MAX_ORDER, Ngram, Tokens, check_captions, count_ngrams


class NgramCount(NamedTuple):
    """How often an n-gram occurs in a hypothesis, and how many of these the references allow."""

    total: int
    clipped: int


class Precision(NamedTuple):
    """A modified n-gram precision as the exact fraction `clipped / total`."""

    clipped: int
    total: int

    @property
    def value(self) -> float:
        """The fraction as a number from 0 to 1."""
        return self.clipped / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class BleuScore:
    """BLEU and the numbers it is computed from.

    Attributes:
        bleu: BLEU-1 to BLEU-`max_order`, each from 0 to 1; BLEU-n is `brevity_penalty` times the
            geometric mean of the first n precisions.
        precisions: for orders 1 to `max_order`, the n-grams found in a reference (each at most as
            often as in the reference that has it most often) over all n-grams of the hypotheses.
        brevity_penalty: 1 when the hypotheses are longer than the references, else
            `exp(1 - reference_length / hypothesis_length)`; 0 if all hypotheses are empty.
        hypothesis_length: words in all hypotheses.
        reference_length: words in the references nearest in length to their hypotheses, the
            shorter one of two equally near.
    """

    bleu: tuple[float, ...]
    precisions: tuple[Precision, ...]
    brevity_penalty: float
    hypothesis_length: int
    reference_length: int


def corpus_bleu(
    hypotheses: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    *,
    max_order: int = MAX_ORDER,
) -> BleuScore:
    """Score a corpus; for one caption give a corpus of one.

    The counts of all images are summed before anything is divided, so this is not the mean of the
    images' own scores.  An order without any match makes its BLEU and those above it 0.

    Args:
        hypotheses: for each image, one list of words.
        references: for each image, at least one list of words.
        max_order: the longest n-gram counted.

    Raises:
        ConfigError: a caption is a string, an image has no reference, there is no image, the two
            arguments differ in length, or `max_order` is below 1.

    >>> score = corpus_bleu([["a", "red", "red", "kite"]], [[["a", "red", "kite", "flies"]]])
    >>> score.precisions[0], score.precisions[1]
    (Precision(clipped=3, total=4), Precision(clipped=2, total=3))
    >>> [round(value, 4) for value in score.bleu]
    [0.75, 0.7071, 0.0, 0.0]

    Reference: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation",
    ACL 2002.
    """
    check_captions(hypotheses, references)
    total = np.zeros(2 * _checked_order(max_order) + 2, dtype=np.int64)
    for hypothesis, image_references in zip(hypotheses, references, strict=True):
        total += _count_image(hypothesis, image_references, max_order)
    return bleu_from_statistics(total)


def bleu_statistics(
    hypothesis: Tokens, references: Sequence[Tokens], *, max_order: int = MAX_ORDER
) -> NDArray[np.int64]:
    """Count what BLEU needs for one image; the counts of several images may be added.

    A hypothesis too short to have an n-gram of some order counts there as 0 of 1, as in nltk, so
    every such caption lowers that precision a little (pycocoevalcap counts 0 of 0).

    Returns:
        int64 of shape `(2 * max_order + 2,)`: the clipped matches of orders 1 to `max_order`, the
        hypothesis's n-grams of the same orders, its length, the nearest reference's length.

    Raises:
        ConfigError: as `corpus_bleu`.

    >>> bleu_statistics(["a", "red", "kite"], [["a", "kite"]], max_order=2).tolist()
    [2, 0, 3, 2, 3, 2]
    """
    check_captions([hypothesis], [references])
    return _count_image(hypothesis, references, _checked_order(max_order))


def bleu_from_statistics(statistics: NDArray[np.int64]) -> BleuScore:
    """Turn the counts of one image, or the sum of those of many, into BLEU.

    Args:
        statistics: int64 `(2 * max_order + 2,)`, as `bleu_statistics` lays it out.

    Raises:
        ConfigError: the shape is another one.
    """
    if statistics.ndim != 1 or len(statistics) < 4 or len(statistics) % 2:
        raise ConfigError(
            f"BLEU statistics of shape {statistics.shape} were given, but one row of "
            "2 * max_order + 2 counts is needed. Sum the rows of the images first."
        )
    *counts, hypothesis_length, reference_length = (int(count) for count in statistics)
    max_order = len(counts) // 2
    pairs = zip(counts[:max_order], counts[max_order:], strict=True)
    precisions = tuple(Precision(clipped, total) for clipped, total in pairs)
    penalty = _brevity_penalty(hypothesis_length, reference_length)
    bleu = tuple(penalty * mean for mean in _geometric_means(precisions))
    return BleuScore(bleu, precisions, penalty, hypothesis_length, reference_length)


def bleu_of_counts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn rows of counts into BLEU-1 to BLEU-4, all rows at once.

    Args:
        counts: `(S, 10)`, each row the sum of the counts of a collection's photos.

    Returns:
        float64 `(S, 4)`, 0 to 1: what `bleu_from_statistics` gives row by row.
    """
    counts = np.asarray(counts, np.float64)
    clipped, found, length, nearest = counts[:, :4], counts[:, 4:8], counts[:, 8], counts[:, 9]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precisions = np.where(clipped > 0, np.log(clipped / found), -np.inf)
        penalty = np.where(length > nearest, 0.0, 1 - nearest / length)
    penalty = np.where(length > 0, penalty, -np.inf)
    means = np.cumsum(log_precisions, axis=1) / np.arange(1, 5)
    bleu: NDArray[np.float64] = np.exp(means + penalty[:, None])
    return bleu


def clip_ngrams(
    hypothesis: Tokens, references: Sequence[Tokens], *, max_order: int = MAX_ORDER
) -> dict[Ngram, NgramCount]:
    """Say for each n-gram of the hypothesis how often it occurs and how often that counts.

    Its clipped count is at most the largest count in any single reference: repeating a right word
    earns nothing.  The n-grams come in order of length, then of first occurrence.

    >>> clip_ngrams(["the", "the", "sea"], [["by", "the", "sea"]], max_order=1)
    {('the',): NgramCount(total=2, clipped=1), ('sea',): NgramCount(total=1, clipped=1)}
    """
    counts = count_ngrams(hypothesis, max_order)
    allowed = dict.fromkeys(counts, 0)
    for reference in references:
        reference_counts = count_ngrams(reference, max_order)
        for ngram in counts.keys() & reference_counts.keys():
            allowed[ngram] = max(allowed[ngram], reference_counts[ngram])
    return {ngram: NgramCount(count, min(count, allowed[ngram])) for ngram, count in counts.items()}


def _count_image(
    hypothesis: Tokens, references: Sequence[Tokens], max_order: int
) -> NDArray[np.int64]:
    clipped = [0] * max_order
    totals = [0] * max_order
    for ngram, found in clip_ngrams(hypothesis, references, max_order=max_order).items():
        clipped[len(ngram) - 1] += found.clipped
        totals[len(ngram) - 1] += found.total
    length = len(hypothesis)
    nearest = min((len(reference) for reference in references), key=lambda r: (abs(r - length), r))
    return np.array([*clipped, *(max(1, total) for total in totals), length, nearest], np.int64)


def _brevity_penalty(hypothesis_length: int, reference_length: int) -> float:
    if hypothesis_length > reference_length:
        return 1.0
    if hypothesis_length == 0:
        return 0.0
    return math.exp(1 - reference_length / hypothesis_length)


def _geometric_means(precisions: Sequence[Precision]) -> list[float]:
    """Return the geometric mean of the first n precisions, for n from 1 to all of them."""
    means: list[float] = []
    log_sum = 0.0
    for order, precision in enumerate(precisions, start=1):
        log_sum += math.log(precision.value) if precision.clipped else -math.inf
        means.append(math.exp(log_sum / order))
    return means


def _checked_order(max_order: int) -> int:
    if max_order < 1:
        raise ConfigError(f"max_order is {max_order}, but BLEU needs n-grams of at least 1 word.")
    return max_order
