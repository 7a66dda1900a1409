"""What a search asks of a model: to read one more word of each caption."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from captioning.decoding.hypotheses import DEAD
from captioning.vocabulary import BOS, PAD, UNK

__all__ = ["Beginning", "Step", "StepModel", "unsayable"]


@dataclass(frozen=True)
class Beginning:
    """A batch of photos before the first word.

    Attributes:
        memory: what the model keeps of the photos; the model's own affair.
        state: before the first word, one row a photo; likewise.
    """

    memory: Any
    state: Any


@dataclass(frozen=True)
class Step:
    """What comes after one more word of each caption.

    Attributes:
        log_probs: float32 `(B, K, n)`, natural logarithms of the next word's probability among all
            that can be said: of the `n` likeliest words, the likeliest first, or of all of them.
        words: int64 `(B, K, n)`, which words they are; None for all in the vocabulary's order.
        state: after the word, one row a caption.
        attention: float32 `(B, K, R)`, how much each region counted, sums to 1 over R; None where
            the likeliest words alone were asked for, or the model has no attention.
    """

    log_probs: np.ndarray
    words: np.ndarray | None
    state: Any
    attention: np.ndarray | None = None


class StepModel(Protocol):
    """A decoder at work: B photos, K captions of each."""

    max_length: int
    """The longest caption, in words and its end mark."""
    vocabulary_size: int

    def begin(self, features: np.ndarray) -> Beginning:
        """Look at photos, float32 `(B, R, D)` or `(B, D)`, once for all their captions."""

    def step(
        self, memory: Any, state: Any, rows: np.ndarray, tokens: np.ndarray, *, top: int | None
    ) -> Step:
        """Read one more word of each caption.

        Args:
            memory: of the photos.
            state: before the word.
            rows: int64 `(B * K,)`, which row of `state` each caption continues.
            tokens: int64 `(B, K)`, the words.
            top: how many of the likeliest next words to return; None for all words.
        """


def unsayable(vocabulary_size: int) -> np.ndarray:
    """Return what is added to the logits `(V,)` so that PAD, BOS and UNK can never be said."""
    mask = np.zeros(vocabulary_size, np.float32)
    mask[[PAD, UNK, BOS]] = DEAD
    return mask
