"""A model that reads captions word by word: its interface, and reading given sentences with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from captioning.decoding.hypotheses import NEG_INF
from captioning.vocabulary import BOS, EOS, PAD, UNK


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


# Teacher forcing


@dataclass(frozen=True)
class Reading:
    """One sentence, read under teacher forcing with each photo of a batch.

    Attributes:
        ids: its words and EOS, int32 `(T,)`.
        log_probs: float32 `(B, T, V)`, natural logarithms of the probabilities of all words at each
            position, given the photo and the words before.
        attention: float32 `(B, T, R)`, attention weights, which sum to 1 over R; None without
            attention.
    """

    ids: np.ndarray
    log_probs: np.ndarray
    attention: np.ndarray | None

    @property
    def of_words(self) -> np.ndarray:
        """Log-probabilities of the sentence's words and its end, `(B, T)`."""
        return self.log_probs[:, np.arange(len(self.ids)), self.ids]


def read_sentence(model: StepModel, features: np.ndarray, ids: Sequence[int]) -> Reading:
    """Read one sentence with every photo.

    Args:
        model: the decoder.
        features: `(B, R, D)` or `(B, D)`, any float type.
        ids: the words, without BOS and EOS.
    """
    begun = model.begin(np.asarray(features, np.float32))
    state, rows = begun.state, np.arange(len(features))
    log_probs, attention = [], []
    for word in (BOS, *ids):
        tokens = np.full((len(features), 1), word)
        step = model.step(begun.memory, state, rows, tokens, top=None)
        state = step.state
        log_probs.append(step.log_probs[:, 0])
        if step.attention is not None:
            attention.append(step.attention[:, 0])
    return Reading(
        ids=np.array([*ids, EOS], np.int32),
        log_probs=np.stack(log_probs, axis=1),
        attention=np.stack(attention, axis=1) if attention else None,
    )


def sentence_likelihoods(
    model: StepModel, features: np.ndarray, sentences: Sequence[Sequence[int]]
) -> np.ndarray:
    """Read every sentence with every photo; each photo is projected once.

    An unknown word (UNK) is read but not scored: its log-probability is 0 for every photo.  A
    sentence longer than the model's maximum is truncated, and its end is not scored.

    Args:
        model: the decoder.
        features: `(B, R, D)` or `(B, D)`, any float type.
        sentences: N sentences as ids, without BOS and EOS.

    Returns:
        Natural logarithms of the word probabilities and, after the last word, of the end; float32
        `(B, N, T)`, 0 after the end.  T is the length of the longest sentence with its end.
    """
    read, judged, counted = _laid_out(sentences, model.max_length)
    count, steps = read.shape
    begun = model.begin(np.asarray(features, np.float32))
    state, rows = begun.state, np.repeat(np.arange(len(features)), count)
    found = np.zeros((len(features), count, steps), np.float32)
    for t in range(steps):
        tokens = np.tile(read[:, t], (len(features), 1))
        step = model.step(begun.memory, state, rows, tokens, top=None)
        state, rows = step.state, np.arange(tokens.size)
        found[:, :, t] = step.log_probs[:, np.arange(count), judged[:, t]]
    found *= counted
    return found


def _laid_out(
    sentences: Sequence[Sequence[int]], longest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs and targets, int64, and weights, float32; each `(N, T)`."""
    steps = min(longest, max(map(len, sentences))) + 1
    read = np.full((len(sentences), steps), EOS)
    judged, counted = read.copy(), np.zeros(read.shape, np.float32)
    for row, ids in enumerate(sentences):
        words = list(ids[:longest])
        end = [EOS] if len(ids) <= longest else []
        read[row, : len(words) + 1] = [BOS, *words]
        judged[row, : len(words) + len(end)] = [*words, *end]
        counted[row, : len(words) + len(end)] = [word != UNK for word in [*words, *end]]
    return read, judged, counted
