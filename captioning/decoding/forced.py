"""Reading a given sentence: how likely each of its words was, and where the model looked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.decoders import Decoder
from captioning.decoding.step import unsayable
from captioning.vocabulary import BOS, EOS

__all__ = ["ForcedReading", "Reading"]


@dataclass(frozen=True)
class Reading:
    """One sentence, read under teacher forcing with each photo of a batch.

    Attributes:
        ids: its words and EOS, int32 `(T,)`.
        log_probs: float32 `(B, T, V)`, natural logarithms over all words that can be said at each
            place, given the photo and the words before.
        attention: float32 `(B, T, R)`, how much each region counted; sums to 1 over R.  None where
            the decoder has no attention.
    """

    ids: np.ndarray
    log_probs: np.ndarray
    attention: np.ndarray | None

    @property
    def of_words(self) -> np.ndarray:
        """Log-probabilities of the sentence's own words and its end, `(B, T)`."""
        return self.log_probs[:, np.arange(len(self.ids)), self.ids]


class ForcedReading:
    """Reads sentences with one decoder, compiled once for all their lengths."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self._run = compiled(self._forward, decoder)

    def read(self, features: np.ndarray, ids: tuple[int, ...]) -> Reading:
        """Read one sentence with every photo.

        Args:
            features: `(B, R, D)` or `(B, D)`, any float type.
            ids: the words, at most `max_length` of them, without BOS and EOS.
        """
        tokens = np.full((len(features), 1, self.decoder.config.max_length + 1), EOS, np.int32)
        tokens[:, 0, : len(ids) + 1] = (BOS, *ids)
        log_probs, *attention = self._run(np.asarray(features, np.float32), tokens)
        steps = len(ids) + 1
        return Reading(
            ids=np.array([*ids, EOS], np.int32),
            log_probs=to_numpy(log_probs)[:, :steps],
            attention=to_numpy(attention[0])[:, :steps] if attention else None,
        )

    def _forward(self, features: Any, tokens: Any) -> tuple[Any, ...]:
        answers, attention, _ = self.decoder.read(self.decoder.remember(features), tokens)
        logits = self.decoder.logits(answers[:, 0]) + unsayable(self.decoder.vocabulary_size)
        log_probs = ops.log_softmax(logits, axis=-1)
        return (log_probs,) if attention is None else (log_probs, attention[:, 0])
