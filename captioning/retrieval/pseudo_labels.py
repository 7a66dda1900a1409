"""Pseudo-labels: captions for photos that nobody described, chosen among sentences of people.

A model describes each photo; the sentences that share most words with its caption are candidates,
and those that fit the photo best become its captions.  A decoder that trains on them reads
people's sentences, not its own, so it does not only repeat its mistakes.

The score of a sentence is `log p(sentence | photo) - w log p(sentence)` per word.  The second term
comes from the model with a blank photo; without it, sentences that are frequent anyway would win.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from captioning.errors import ConfigError
from captioning.text import tokenize

if TYPE_CHECKING:
    from captioning.captioner import Captioner

CANDIDATES = 24
"""Sentences that are scored for each photo."""

PRIOR_WEIGHT = 0.5


@dataclass(frozen=True)
class ScoredSentence:
    """A sentence chosen for a photo, with its score in nats per word; higher is better."""

    text: str
    score: float


class PseudoLabeler:
    """Chooses sentences for photos.

    Args:
        captioner: a model with the `attention` decoder that was trained with sentences without
            photos, so that its blank photo has a meaning.
        sentences: sentences of people; those with words that the model does not know are skipped.

    Raises:
        ConfigError: the model has no blank photo, or knows the words of no sentence.
    """

    def __init__(self, captioner: "Captioner", sentences: Iterable[str]) -> None:
        from bm25s import BM25

        self._captioner = captioner
        self._blank = _blank_photo(captioner)
        self._sentences = [s for s in dict.fromkeys(sentences) if self._readable(s)]
        if not self._sentences:
            raise ConfigError(f"{captioner.name} knows the words of none of the sentences.")
        self._index = BM25()
        self._index.index([tokenize(s) for s in self._sentences], show_progress=False)

    def choose(self, features: np.ndarray, count: int) -> list[list[ScoredSentence]]:
        """Choose sentences for encoded photos.

        Args:
            features: `(B, R, D)`, from the model's encoder.
            count: sentences per photo.

        Returns:
            For each photo at most `count` sentences, the best first; none if the model has nothing
            to say about it.
        """
        captions = self._captioner.describe(features)
        return [
            self._best(photo, caption.text, count)
            for photo, caption in zip(features, captions, strict=True)
        ]

    def _best(self, photo: np.ndarray, caption: str, count: int) -> list[ScoredSentence]:
        found = self._candidates(caption)
        if not found:
            return []
        with_photo, blank = self._captioner.likelihoods(
            np.stack([photo.astype(np.float32), self._blank]), found
        ).sum(axis=-1)
        words = np.array([len(tokenize(sentence)) + 1 for sentence in found])
        scores = (with_photo - PRIOR_WEIGHT * blank) / words
        order = np.argsort(-scores, kind="stable")[:count]
        return [ScoredSentence(found[place], float(scores[place])) for place in order]

    def _candidates(self, caption: str) -> list[str]:
        words = tokenize(caption)
        if not words:
            return []
        scores = self._index.get_scores(words)
        places = np.argpartition(-scores, min(CANDIDATES, len(scores) - 1))[:CANDIDATES]
        return [self._sentences[place] for place in sorted(places) if scores[place] > 0]

    def _readable(self, sentence: str) -> bool:
        words = tokenize(sentence)
        bundle = self._captioner.bundle
        return 0 < len(words) <= bundle.decoder.max_length and all(
            word in bundle.vocabulary for word in words
        )


def _blank_photo(captioner: "Captioner") -> np.ndarray:
    """Return the photo that sentences without photos are read with, `(R, D)`."""
    arrays, shape = captioner.bundle.decoder_arrays(), captioner.bundle.feature_shape
    mean = arrays.get("decoder/scaling/mean")
    if mean is None or len(shape) != 2:
        raise ConfigError(f"{captioner.name} has no attention decoder; pseudo-labels need one.")
    return np.broadcast_to(np.asarray(mean, np.float32), shape)
