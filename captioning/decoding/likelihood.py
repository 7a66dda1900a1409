"""p(sentence | photo) for many photos and many sentences at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.decoders import Decoder
from captioning.decoding.step import unsayable
from captioning.vocabulary import BOS, EOS, UNK

__all__ = ["SentenceLikelihood"]


class SentenceLikelihood:
    """Reads many sentences with many photos under teacher forcing, each photo projected once.

    `ForcedReading` tells everything about one sentence; this tells one number a word, so that the
    probabilities of all other words need not leave the compiled function.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self._run = compiled(self._forward, decoder)

    def read(self, features: np.ndarray, sentences: Sequence[Sequence[int]]) -> np.ndarray:
        """Read every sentence with every photo.

        A word the model does not know (UNK) is read but not judged: it counts as 0, whatever the
        photo.  A sentence longer than the model's is cut there, and its end is not judged.

        Args:
            features: `(B, R, D)` or `(B, D)`, any float type.
            sentences: N sentences as ids, without BOS and EOS.

        Returns:
            Natural logarithms of the words' probabilities and, behind the last word, of the
            sentence ending there; float32 `(B, N, T)`, 0 behind the end.  T is the longest
            sentence and its end.
        """
        read, judged, counted = self._laid_out(sentences)
        batch = (len(features), 1, 1)
        found = self._run(
            np.asarray(features, np.float32), np.tile(read, batch), np.tile(judged, batch)
        )
        told: np.ndarray = to_numpy(found) * counted
        return told

    def _laid_out(
        self, sentences: Sequence[Sequence[int]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what is read, what is judged, int32, and where it counts, float32; `(1, N, T)`."""
        longest = self.decoder.config.max_length
        steps = min(longest, max(map(len, sentences))) + 1
        read = np.full((1, len(sentences), steps), EOS, np.int32)
        judged, counted = read.copy(), np.zeros(read.shape, np.float32)
        for row, ids in enumerate(sentences):
            words = list(ids[:longest])
            end = [EOS] if len(ids) <= longest else []
            read[0, row, : len(words) + 1] = [BOS, *words]
            judged[0, row, : len(words) + len(end)] = [*words, *end]
            counted[0, row, : len(words) + len(end)] = [word != UNK for word in [*words, *end]]
        return read, judged, counted

    def _forward(self, features: Any, read: Any, judged: Any) -> Any:
        answers, _, _ = self.decoder.read(self.decoder.remember(features), read)
        logits = self.decoder.logits(answers) + unsayable(self.decoder.vocabulary_size)
        own = ops.take_along_axis(logits, judged[..., None], axis=-1)[..., 0]
        return own - ops.logsumexp(logits, axis=-1)
