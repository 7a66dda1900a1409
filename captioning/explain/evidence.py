"""How much of each word was seen, and how much was guessed from the words before it."""

from dataclasses import dataclass

import numpy as np

from captioning.captioner import Captioner
from captioning.text import tokenize

__all__ = ["Evidence", "seen_or_guessed"]


@dataclass(frozen=True)
class Evidence:
    """One word with the photo and without.

    Attributes:
        word: the word; None for ending the sentence there.
        seen: natural logarithm of its probability with the photo.
        blank: the same with an evenly grey photo.
    """

    word: str | None
    seen: float
    blank: float

    @property
    def gain(self) -> float:
        """What the photo adds: above 0 the word was seen, near 0 language alone would say it."""
        return self.seen - self.blank


def seen_or_guessed(captioner: Captioner, features: np.ndarray, sentence: str) -> list[Evidence]:
    """Compare the probability of each word with the photo to that with a blank one.

    Args:
        captioner: the model; it looks at a blank photo once, and keeps what it saw.
        features: of one photo, `(1, R, D)` or `(1, D)`.
        sentence: whose words are judged.

    Returns:
        One for each word and one for the end.

    Raises:
        QueryError: the model does not know a word of the sentence, or it is too long.
    """
    both = np.concatenate([features, captioner.blank_features])
    seen, blank = captioner.read(both, sentence).of_words
    words = [*tokenize(sentence), None]
    return [Evidence(w, float(s), float(b)) for w, s, b in zip(words, seen, blank, strict=True)]
