"""Finding photos for a sentence, by its probability, or for an example photo, by their features.

A captioning model is a language model conditioned on a photo: p(sentence | photo) is the product of
the probabilities of the words.  If all photos are equally likely a priori, Bayes' rule ranks them
by exactly this number.  Compared with the probability of the sentence without a photo, it also
shows how much this photo contributes to each word, and so why it was found.

The probability without a photo is the mean over photos.  Features without content (zeros, or the
mean of all photos) would not work: a decoder has never seen such features, and with them the
models of this project find even "a" unlikely as a first word.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from captioning.errors import QueryError
from captioning.text import tokenize

if TYPE_CHECKING:
    from captioning.captioner import Captioner
    from captioning.features import FeatureStore

BATCH = 256
"""Photos per call of the model: a quarter of a second, so that others do not wait long."""


@dataclass(frozen=True, eq=False)
class EncodedPhotos:
    """N photos as their features: on disk in a store, or in memory.

    Attributes:
        names: the photos.
        rows: returns the features of the photos at these places, `(B, R, D)` or `(B, D)`.
    """

    names: tuple[str, ...]
    rows: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def in_store(cls, store: "FeatureStore", names: Sequence[str]) -> "EncodedPhotos":
        """Use photos of a feature store; photos that it lacks are left out."""
        kept = tuple(name for name in names if name in store)
        places = store.places(kept)
        return cls(kept, lambda some: store.rows(places[some]))

    @classmethod
    def in_memory(cls, names: Sequence[str], features: np.ndarray) -> "EncodedPhotos":
        """Use features in memory, `(N, R, D)` or `(N, D)`."""
        return cls(tuple(names), lambda some: features[some])

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.names)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield the features of all photos in their order, `size` photos at a time."""
        places = np.arange(len(self))
        for start in range(0, len(self), size):
            yield self.rows(places[start : start + size])


@dataclass(frozen=True)
class WordGain:
    """The contribution of a photo to one word of a sentence.

    Attributes:
        word: the word; None for the end of the sentence.
        gain: log-probability of the word with this photo minus that without a photo; None for a
            word that the model does not know.
    """

    word: str | None
    gain: float | None


@dataclass(frozen=True)
class SpokenFor:
    """A photo found by a sentence.

    Attributes:
        place: which of the photos.
        log_prob: natural logarithm of p(sentence | photo).
        gain: the mean gain of `words`.
        words: one for each word and one for the end.
    """

    place: int
    log_prob: float
    gain: float
    words: tuple[WordGain, ...]


@dataclass(frozen=True, eq=False)
class SentenceReading:
    """One sentence read with N photos.

    Attributes:
        words: the T words and None for the end; without the end if the sentence was cut.
        known: which of them the model knows, bool `(T + 1,)`.
        log_probs: natural logarithms of the probabilities of the words, float32 `(N, T + 1)`; 0
            for unknown words.
    """

    words: tuple[str | None, ...]
    known: np.ndarray
    log_probs: np.ndarray

    @cached_property
    def prior(self) -> np.ndarray:
        """The log-probabilities without a photo, `(T + 1,)`."""
        return without_photo(self.log_probs)

    @cached_property
    def gains(self) -> np.ndarray:
        """The gain of each word with each photo, `(N, T + 1)`; 0 for unknown words."""
        gains: np.ndarray = self.log_probs - self.prior
        return gains

    @cached_property
    def scores(self) -> np.ndarray:
        """The mean gain per word, `(N,)`.

        For one sentence its order is that of p(sentence | photo), since length and prior are the
        same for all photos.  Dividing by them makes the scores of different sentences comparable.
        """
        scores: np.ndarray = self.gains.sum(axis=1) / max(1, int(self.known.sum()))
        return scores

    def best(self, count: int) -> list[SpokenFor]:
        """Return the photos with the highest scores, the best first."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [self._found(int(place)) for place in order]

    def _found(self, place: int) -> SpokenFor:
        gains = zip(self.words, self.gains[place], self.known, strict=True)
        return SpokenFor(
            place=place,
            log_prob=float(self.log_probs[place].sum()),
            gain=float(self.scores[place]),
            words=tuple(
                WordGain(word, float(gain) if known else None) for word, gain, known in gains
            ),
        )


def read_sentence(
    captioner: "Captioner",
    photos: EncodedPhotos,
    sentence: str,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> SentenceReading:
    """Read a sentence with every photo, teacher-forced: the model never chooses a word.

    Args:
        captioner: the model; between two batches it serves other callers.
        photos: encoded by its encoder.
        sentence: with any capital letters and punctuation.
        on_progress: called with the number of photos done and of all; an exception that it raises
            ends the reading.

    Raises:
        QueryError: the sentence has no word, or the model knows none of its words.
    """
    vocabulary = captioner.bundle.vocabulary
    words: list[str | None] = list(tokenize(sentence)[: captioner.bundle.decoder.max_length])
    known = [word in vocabulary for word in words if word is not None]
    if not any(known):
        raise QueryError(
            "The model knows no word of this sentence, so it cannot find photos for it."
            if words
            else "There is nothing to look for. Type a sentence such as: a dog runs in the snow."
        )
    if len(tokenize(sentence)) == len(words):
        words, known = [*words, None], [*known, True]
    parts: list[np.ndarray] = []
    for features in photos.batches(BATCH):
        parts.append(captioner.likelihoods(features, [sentence])[:, 0])
        on_progress(sum(map(len, parts)), len(photos))
    log_probs = np.concatenate(parts) if parts else np.zeros((0, len(words)), np.float32)
    return SentenceReading(tuple(words), np.array(known), log_probs[:, : len(words)])


def without_photo(log_probs: np.ndarray) -> np.ndarray:
    """Average probabilities, given as logarithms, over the photos: `(N, ...)` becomes `(...)`."""
    if not len(log_probs):
        return np.zeros(log_probs.shape[1:], np.float32)
    highest = log_probs.max(axis=0)
    mean: np.ndarray = highest + np.log(np.exp(log_probs - highest).mean(axis=0))
    return mean


@dataclass(frozen=True)
class Alike:
    """A photo and the cosine between its features and the example's, -1 to 1."""

    place: int
    cosine: float


def find_alike(vectors: np.ndarray, example: np.ndarray, count: int) -> list[Alike]:
    """Return the photos that are most similar to an example, the most similar first.

    Args:
        vectors: unit vectors of the photos, `(N, D)`, as `captioning.features.pooled` returns them.
        example: unit vector of the example, `(D,)`.
        count: the largest number returned.
    """
    cosines = vectors @ example
    order = np.argsort(-cosines, kind="stable")[:count]
    return [Alike(int(place), float(cosines[place])) for place in order]
