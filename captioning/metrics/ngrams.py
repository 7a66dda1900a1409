"""What all scores share: captions as words, their n-grams, and one score for each image."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from captioning.errors import ConfigError

MAX_ORDER = 4
"""The longest n-gram that BLEU-4 and CIDEr-D look at."""

Tokens: TypeAlias = Sequence[Hashable]
"""A caption as a list of words, or of word ids: whatever can be compared for equality."""

Ngram: TypeAlias = tuple[Hashable, ...]
"""Neighbouring words; its length is its order."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageScores:
    """The score of each image, float64 `(images,)`."""

    per_image: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The corpus' score: the mean over the images."""
        return float(self.per_image.mean())


def count_ngrams(tokens: Tokens, max_order: int = MAX_ORDER) -> Counter[Ngram]:
    """Count the n-grams of orders 1 to `max_order` in `tokens`.

    >>> sorted(count_ngrams(["the", "red", "red"], max_order=2).items())
    [(('red',), 2), (('red', 'red'), 1), (('the',), 1), (('the', 'red'), 1)]
    """
    shifted = [tokens[start:] for start in range(max_order)]
    orders = range(1, max_order + 1)
    return Counter(chain.from_iterable(zip(*shifted[:order], strict=False) for order in orders))


def check_captions(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> None:
    """Refuse what would otherwise be scored wrongly without a sign of it.

    Raises:
        ConfigError: there is no image, the two differ in length, an image has no reference, or a
            caption is a string (its letters would be counted as words, and BLEU-4 would triple).
    """
    if isinstance(hypotheses, str):
        raise ConfigError(
            f"The hypotheses are one string, {_shortened(hypotheses)}. "
            "Give a list with one list of words for each image."
        )
    for image, hypothesis in enumerate(hypotheses):
        check_words(hypothesis, f"The hypothesis of image {image}")
    if len(hypotheses) != len(references):
        raise ConfigError(
            f"There are hypotheses for {len(hypotheses)} images and references for "
            f"{len(references)}. Give one hypothesis and one list of references for each image, "
            "in the same order."
        )
    check_references(references)


def check_references(references: Sequence[Sequence[Tokens]]) -> None:
    """Check that there is an image, and that each has references that are lists of words.

    Raises:
        ConfigError: as `check_captions`.
    """
    if len(references) == 0:
        raise ConfigError("There are no captions to score. Give those of at least one image.")
    for image, image_references in enumerate(references):
        check_words(image_references, f"The list of references of image {image}")
        if len(image_references) == 0:
            raise ConfigError(
                f"Image {image} has no reference caption. "
                "Give at least one, or leave the image out."
            )
        for number, reference in enumerate(image_references):
            check_words(reference, f"Reference {number} of image {image}")


def check_words(tokens: object, what: str) -> None:
    """Check that `tokens`, called `what` in the message, are not a string.

    Raises:
        ConfigError: they are.
    """
    if isinstance(tokens, str):
        raise ConfigError(
            f"{what} is a string, {_shortened(tokens)}, whose letters would be taken for words. "
            "Split it into a list of words first, as captioning.text.tokenize does."
        )


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
