"""CIDEr-D as pycocoevalcap's "CIDEr" computes it.

A caption is a vector with one number for each n-gram: how often it occurs times how rare it is
among the images (tf-idf).  The score is the mean cosine between hypothesis and references over
the orders 1 to 4, where a repeated n-gram counts at most as often as in the reference and a
difference in length is punished by a Gaussian.  Scores run from 0 to 10.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captioning.errors import ConfigError
from captioning.metrics.ngrams import (
    MAX_ORDER,
    ImageScores,
    Ngram,
    Tokens,
    check_captions,
    check_references,
    check_words,
    count_ngrams,
)

SIGMA = 6.0
"""Standard deviation, in words, of the Gaussian over the difference in length."""


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """In how many of `images` images an n-gram occurs in at least one reference.

    Raises:
        ConfigError: there is no image, or an n-gram is counted in more images than there are.
    """

    images: int
    counts: Mapping[Ngram, int]

    def __post_init__(self) -> None:
        """Refuse counts that would make an n-gram's weight negative."""
        largest = max(self.counts.values(), default=0)
        if self.images < 1 or largest > self.images:
            raise ConfigError(
                f"The document frequencies speak of {self.images} images, but count an n-gram in "
                f"{largest} of them. Count over at least one image, and each image once."
            )

    @classmethod
    def from_references(cls, references: Sequence[Sequence[Tokens]]) -> "DocumentFrequencies":
        """Count over the references of each image.

        Raises:
            ConfigError: there is no image, one has no reference, or a reference is a string.
        """
        check_references(references)
        counts: Counter[Ngram] = Counter()
        for image_references in references:
            counts.update(set().union(*map(count_ngrams, image_references)))
        return cls(len(references), counts)


class CiderD:
    """A scorer that prepares the references once and then scores any number of hypotheses.

    Quick enough to reward samples during training: words may be given as ids, and a caption costs
    tens of microseconds.
    """

    def __init__(
        self,
        references: Sequence[Sequence[Tokens]],
        *,
        document_frequencies: DocumentFrequencies | None = None,
    ) -> None:
        """Prepare the references.

        Args:
            references: for each image, at least one list of words.
            document_frequencies: how common n-grams are; counted over `references` when left out,
                as the published figures of a test split do.

        Raises:
            ConfigError: there is no image, one has no reference, or a reference is a string.
        """
        check_references(references)
        frequencies = document_frequencies or DocumentFrequencies.from_references(references)
        self._document_counts = frequencies.counts
        self._squared_rarity = _squared_rarity(frequencies.images)
        self._images = [[self._vector(reference) for reference in refs] for refs in references]

    def __len__(self) -> int:
        """The number of images."""
        return len(self._images)

    def score(self, hypothesis: Tokens, image: int) -> float:
        """Score one hypothesis against the references of the image with this number.

        Returns:
            CIDEr-D from 0 to 10; 0 for a caption without words.

        Raises:
            ConfigError: the hypothesis is a string, or there is no such image.
        """
        return float(self.scores([hypothesis], [image])[0])

    def scores(self, hypotheses: Sequence[Tokens], images: Sequence[int]) -> NDArray[np.float64]:
        """Score each hypothesis against the references of its image.

        Args:
            hypotheses: N lists of words.
            images: N image numbers, counted from 0; an image may occur any number of times.

        Returns:
            float64 `(N,)`, from 0 to 10.

        Raises:
            ConfigError: a hypothesis is a string, there is no such image, or the two arguments
                differ in length.
        """
        if len(hypotheses) != len(images):
            raise ConfigError(
                f"There are {len(hypotheses)} hypotheses and {len(images)} image numbers. "
                "Give the number of an image for each hypothesis."
            )
        for hypothesis, image in zip(hypotheses, images, strict=True):
            check_words(hypothesis, f"A hypothesis of image {image}")
            if not 0 <= image < len(self._images):
                raise ConfigError(
                    f"There is no image {image}: this scorer was given the references of "
                    f"{len(self._images)} images, counted from 0."
                )
        pairs = zip(hypotheses, images, strict=True)
        return np.array([10 * self._similarity(words, image) for words, image in pairs], np.float64)

    def _similarity(self, hypothesis: Tokens, image: int) -> float:
        """Return the mean over the references and the orders, from 0 to 1."""
        vector = self._vector(hypothesis)
        references = self._images[image]
        total = sum(
            _length_penalty(vector.length - reference.length) * self._cosines(vector, reference)
            for reference in references
        )
        return total / (MAX_ORDER * len(references))

    def _cosines(self, hypothesis: "_Vector", reference: "_Vector") -> float:
        """Return the sum over the orders of the clipped cosine between two captions."""
        overlaps = [0.0] * MAX_ORDER
        for ngram, count in hypothesis.counts.items():
            if allowed := reference.counts.get(ngram):
                rarity = self._squared_rarity[self._document_counts.get(ngram, 0)]
                overlaps[len(ngram) - 1] += min(count, allowed) * allowed * rarity
        # Where an order has an overlap above 0, neither norm can be 0.
        return sum(
            overlap / (norm * reference_norm)
            for overlap, norm, reference_norm in zip(
                overlaps, hypothesis.norms, reference.norms, strict=True
            )
            if overlap
        )

    def _vector(self, tokens: Tokens) -> "_Vector":
        counts = count_ngrams(tokens)
        squares = [0.0] * MAX_ORDER
        for ngram, count in counts.items():
            rarity = self._squared_rarity[self._document_counts.get(ngram, 0)]
            squares[len(ngram) - 1] += count * count * rarity
        return _Vector(counts, [math.sqrt(square) for square in squares], len(tokens))


class _Vector(NamedTuple):
    """A caption: its n-grams, the tf-idf vector's norm for each order, and its length."""

    counts: Counter[Ngram]
    norms: list[float]
    length: int


def _squared_rarity(images: int) -> list[float]:
    """Return log(images / n) squared for an n-gram in n = 0 to `images` images, 0 taken as 1."""
    return [math.log(images / max(1, found)) ** 2 for found in range(images + 1)]


def _length_penalty(difference: int) -> float:
    return math.exp(-(difference**2) / (2 * SIGMA**2))


def cider(
    hypotheses: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    *,
    document_frequencies: DocumentFrequencies | None = None,
) -> ImageScores:
    """Score a corpus with CIDEr-D.

    How rare an n-gram is depends on all images scored together, so figures of different sets do
    not compare; and in a corpus of one image everything is common and the score is 0, unless
    `document_frequencies` come from elsewhere.

    Args:
        hypotheses: for each image, one list of words.
        references: for each image, at least one list of words.
        document_frequencies: how common n-grams are; counted over `references` when left out.

    Returns:
        Each image's score from 0 to 10.

    Raises:
        ConfigError: a caption is a string, an image has no reference, there is no image, or the
            two arguments differ in length.

    Reference: Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description
    Evaluation", CVPR 2015, section 6 for CIDEr-D.
    """
    check_captions(hypotheses, references)
    scorer = CiderD(references, document_frequencies=document_frequencies)
    return ImageScores(scorer.scores(hypotheses, range(len(scorer))))
