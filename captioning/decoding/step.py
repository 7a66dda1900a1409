"""The interface between a search and a model: one step reads one more word of each caption."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from captioning.decoding.hypotheses import NEG_INF
from captioning.vocabulary import BOS, PAD, UNK


@dataclass(frozen=True)
class Beginning:
    """A batch of photos before the first word.

    Attributes:
        memory: the model's representation of the photos, in a form private to the model.
        state: before the first word, one row per photo; also private.
    """

    memory: Any
    state: Any


@dataclass(frozen=True)
class Step:
    """The model's output after one more word of each caption.

    Attributes:
        log_probs: float32 `(B, K, n)`, natural logarithms of the next word's probability, with
            special tokens excluded: of the `n` most likely words, sorted, or of all words.
        words: int64 `(B, K, n)`, ids of these words; None for all words in order.
        state: after the word, one row per caption.
        attention: float32 `(B, K, R)`, attention weights, which sum to 1 over R; None if only the
            most likely words were requested, or without attention.
    """

    log_probs: np.ndarray
    words: np.ndarray | None
    state: Any
    attention: np.ndarray | None = None


class StepModel(Protocol):
    """A decoder that reads captions word by word: B photos, K captions of each."""

    max_length: int
    """The maximum length of a caption, including EOS."""
    vocabulary_size: int

    def begin(self, features: np.ndarray) -> Beginning:
        """Read photos, float32 `(B, R, D)` or `(B, D)`, once for all their captions."""

    def step(
        self, memory: Any, state: Any, rows: np.ndarray, tokens: np.ndarray, *, top: int | None
    ) -> Step:
        """Read one more word of each caption.

        Args:
            memory: of the photos.
            state: before the word.
            rows: int64 `(B * K,)`, the row of `state` that each caption continues.
            tokens: int64 `(B, K)`, the words.
            top: number of most likely next words to return; None for all words.
        """


def unsayable(vocabulary_size: int) -> np.ndarray:
    """Return the term added to the logits `(V,)` to exclude PAD, BOS and UNK."""
    mask = np.zeros(vocabulary_size, np.float32)
    mask[[PAD, UNK, BOS]] = NEG_INF
    return mask
