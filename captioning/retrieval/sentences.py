"""Photos for a sentence, by how likely the model would be to say it about them.

A captioning model is a language model told by a photo: p(sentence | photo) is the product of the
probabilities of its words.  If no photo is likelier than another beforehand, Bayes' rule ranks
photos by exactly that number.  Held against the same sentence said without knowing which photo is
meant, it also says how much seeing this photo helped, word by word, and so why it was found.

What is said without a photo is the mean of the probabilities over photos.  Features without
content (zeros, or the mean of all photos') would not do: a decoder has never seen such, and with
them this project's models find even "a" unlikely as a first word.
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

__all__ = [
    "Alike",
    "EncodedPhotos",
    "SentenceReading",
    "SpokenFor",
    "WordGain",
    "find_alike",
    "read_sentence",
    "without_photo",
]

BATCH = 256
"""Photos read in one turn: a quarter of a second, so that others need not wait long."""


@dataclass(frozen=True, eq=False)
class EncodedPhotos:
    """N photos that a model's encoder has looked at.

    Attributes:
        names: the photos.
        rows: returns the features of the photos at these places, `(B, R, D)` or `(B, D)`.
    """

    names: tuple[str, ...]
    rows: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def in_store(cls, store: "FeatureStore", names: Sequence[str]) -> "EncodedPhotos":
        """Take photos of a feature store; those it could not read are left out."""
        kept = tuple(name for name in names if name in store)
        places = store.places(kept)
        return cls(kept, lambda some: store.rows(places[some]))

    @classmethod
    def in_memory(cls, names: Sequence[str], features: np.ndarray) -> "EncodedPhotos":
        """Take features that are at hand, `(N, R, D)` or `(N, D)`."""
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
    """What a photo does for one word of a sentence.

    Attributes:
        word: the word; None for the sentence ending there.
        gain: natural logarithm of how many times likelier the word is with this photo than
            without knowing which photo is meant; None for a word the model does not know.
    """

    word: str | None
    gain: float | None


@dataclass(frozen=True)
class SpokenFor:
    """A photo found by a sentence.

    Attributes:
        place: which of the photos.
        log_prob: natural logarithm of p(sentence | photo).
        gain: the mean of `words`' gains: how much likelier this photo makes a word of it.
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
        words: the T words and None for the end; without the end where the sentence was cut.
        known: which of them the model knows, bool `(T + 1,)`.
        log_probs: natural logarithms of the words' probabilities, float32 `(N, T + 1)`; 0 where
            unknown.
    """

    words: tuple[str | None, ...]
    known: np.ndarray
    log_probs: np.ndarray

    @cached_property
    def prior(self) -> np.ndarray:
        """The same without knowing which of the N photos is meant, `(T + 1,)`."""
        return without_photo(self.log_probs)

    @cached_property
    def gains(self) -> np.ndarray:
        """By how much each photo makes each word likelier, `(N, T + 1)`; 0 where unknown."""
        gains: np.ndarray = self.log_probs - self.prior
        return gains

    @cached_property
    def scores(self) -> np.ndarray:
        """The mean gain a word, `(N,)`.

        For one sentence its order is that of p(sentence | photo): length and prior are the same
        for all photos.  They make scores of different sentences comparable, and 0 mean something.
        """
        scores: np.ndarray = self.gains.sum(axis=1) / max(1, int(self.known.sum()))
        return scores

    def best(self, count: int) -> list[SpokenFor]:
        """Return the photos about which the sentence is likeliest said, the best first."""
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
        captioner: the model; between two batches it serves whoever else waits.
        photos: what its encoder saw.
        sentence: in any spelling of case and punctuation.
        on_progress: told photos done and in all; what it raises ends the work.

    Raises:
        QueryError: the sentence has no word, or the model knows none of its words.
    """
    vocabulary = captioner.bundle.vocabulary
    words: list[str | None] = list(tokenize(sentence)[: captioner.bundle.decoder.max_length])
    known = [word in vocabulary for word in words if word is not None]
    if not any(known):
        raise QueryError(
            "The model knows no word of this sentence, so no photo speaks for it."
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
    """Return the photos most like an example, the most alike first.

    Args:
        vectors: of the photos, of length 1, `(N, D)`, as `captioning.features.pooled` makes them.
        example: of the example, of length 1, `(D,)`.
        count: how many at most.
    """
    cosines = vectors @ example
    order = np.argsort(-cosines, kind="stable")[:count]
    return [Alike(int(place), float(cosines[place])) for place in order]
