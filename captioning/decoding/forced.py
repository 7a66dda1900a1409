"""Teacher forcing: word probabilities and attention for given sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.decoding.step import StepModel
from captioning.vocabulary import BOS, EOS, UNK


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
