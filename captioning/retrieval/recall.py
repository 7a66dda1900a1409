"""How well a captioning model finds photos for sentences and sentences for photos: R@1, 5 and 10.

The question needs p(sentence | photo) for every pair.  For 1,000 photos and a sentence each that
is a million readings, minutes of work; so queries are taken in random order, each against all
1,000 candidates, and after every few the recall so far is told with its interval.  Stopping early
only widens the interval, as long as the recall so far is not what decides when to stop.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from captioning.errors import ConfigError
from captioning.retrieval.sentences import EncodedPhotos, without_photo
from captioning.text import tokenize

if TYPE_CHECKING:
    from captioning.captioner import Captioner

__all__ = [
    "DEPTHS",
    "SCORINGS",
    "Recall",
    "RecallSoFar",
    "measure_recall",
    "ranks_of_photos",
    "ranks_of_sentences",
]

DEPTHS = (1, 5, 10)
RAW, PER_WORD, LESS_PRIOR, GAIN = SCORINGS = (
    "log-probability",
    "log-probability a word",
    "less the prior",
    "less the prior, a word",
)
"""How sentences are compared for one photo; photos for one sentence rank alike by all four."""

BLOCK = 10
"""Queries of each direction between two reports."""
_PHOTOS, _SENTENCES = 64, 16
"""Pairs read in one turn of the model: about a third of a second."""
_FOR_PRIOR = 16
"""Photos over which a sentence's probability without a photo is averaged."""
_Z = 1.959964


class Recall(NamedTuple):
    """Queries whose right answer came among the first so many.

    Attributes:
        ranks: of the right answers, from 1, int64 `(Q,)`.
        candidates: how many answers there were to choose from.
    """

    ranks: np.ndarray
    candidates: int

    def at(self, depth: int) -> float:
        """Return the share of queries answered within `depth`, 0 to 1."""
        return float((self.ranks <= depth).mean())

    def interval(self, depth: int) -> tuple[float, float]:
        """Return Wilson's 95% interval of `at(depth)`."""
        share, count = self.at(depth), len(self.ranks)
        scale = 1 + _Z**2 / count
        middle = (share + _Z**2 / (2 * count)) / scale
        half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / scale
        return max(0.0, middle - half), min(1.0, middle + half)

    def chance(self, depth: int) -> float:
        """Return what guessing would reach."""
        return min(1.0, depth / self.candidates)

    @property
    def median(self) -> float:
        """The median rank of the right answer."""
        return float(np.median(self.ranks))


@dataclass(frozen=True)
class RecallSoFar:
    """Recall after some of the queries.

    Attributes:
        done: queries of each direction.
        total: as many were asked for.
        photos: finding the photo of a sentence.
        sentences: finding the sentence of a photo, by each of `SCORINGS`.
    """

    done: int
    total: int
    photos: Recall
    sentences: Mapping[str, Recall]


def measure_recall(
    captioner: "Captioner",
    photos: EncodedPhotos,
    sentences: Sequence[str],
    *,
    queries: int,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[RecallSoFar]:
    """Measure recall both ways, telling how far it is after every few queries.

    Args:
        captioner: the model; between blocks of pairs it serves whoever else waits.
        photos: N of them.
        sentences: one about each photo, in the same order.
        queries: so many photos and their sentences, drawn at random, are looked for among all N.
        seed: of that draw.
        on_progress: told pairs read and to read; what it raises ends the work.

    Raises:
        ConfigError: there is not one sentence for each photo, or there is no photo.
    """
    if len(photos) != len(sentences) or not len(photos):
        raise ConfigError(
            f"Recall needs one sentence for each photo; there are {len(photos)} photos and "
            f"{len(sentences)} sentences."
        )
    total = min(queries, len(photos))
    order = np.random.default_rng(seed).permutation(len(photos))
    left_out = len(photos) - total
    pairs = len(photos) ** 2 - left_out**2 + min(_FOR_PRIOR, len(photos)) * len(photos)
    table = _Table(captioner, photos, sentences, lambda done: on_progress(done, pairs))
    table.read_prior()
    for start in range(0, total, BLOCK):
        stop = min(start + BLOCK, total)
        # What earlier queries have read stands already, in their columns and rows.
        table.read(order[start:], order[start:stop])
        table.read(order[start:stop], order[stop:])
        asked = order[:stop]
        yield RecallSoFar(
            stop,
            total,
            Recall(ranks_of_photos(table.log_probs, asked), len(photos)),
            {
                name: Recall(ranks_of_sentences(scores, asked), len(photos))
                for name, scores in table.scorings(asked).items()
            },
        )


def ranks_of_photos(scores: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Rank for each sentence asked its own photo among all.

    Args:
        scores: of photo and sentence, `(N, N)`, the right pairs on the diagonal.
        asked: the sentences, as columns, int64 `(Q,)`.

    Returns:
        int64 `(Q,)` from 1; what scores equal counts as before.
    """
    columns = scores[:, asked]
    own = columns[asked, np.arange(len(asked))]
    ranks: np.ndarray = (columns >= own).sum(axis=0)
    return ranks


def ranks_of_sentences(scores: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Rank for each photo asked its own sentence among all.

    Args:
        scores: of the photos asked and all sentences, `(Q, N)`.
        asked: which photos they are, int64 `(Q,)`.

    Returns:
        int64 `(Q,)` from 1; what scores equal counts as before.
    """
    own = scores[np.arange(len(asked)), asked]
    ranks: np.ndarray = (scores >= own[:, None]).sum(axis=1)
    return ranks


class _Table:
    """p(sentence | photo) of all pairs, as far as they have been read."""

    def __init__(
        self,
        captioner: "Captioner",
        photos: EncodedPhotos,
        sentences: Sequence[str],
        on_read: Callable[[int], None],
    ) -> None:
        self._captioner, self._photos, self._sentences = captioner, photos, list(sentences)
        self._done, self._on_read = 0, on_read
        self.log_probs = np.full((len(photos), len(sentences)), np.nan, np.float32)
        vocabulary, longest = captioner.bundle.vocabulary, captioner.bundle.decoder.max_length
        words = [tokenize(sentence) for sentence in sentences]
        # As many numbers as `likelihoods` judges: the known words, and the end if it is reached.
        self._judged = np.array(
            [sum(w in vocabulary for w in ws[:longest]) + (len(ws) <= longest) for ws in words]
        )
        self._lengths = np.array([len(ws) for ws in words])
        self._prior = np.zeros(len(sentences))

    def read_prior(self) -> None:
        """Work out how likely each sentence is without knowing the photo."""
        count = len(self._photos)
        some = np.linspace(0, count - 1, min(_FOR_PRIOR, count)).astype(np.int64)
        features = self._photos.rows(some)
        for columns in self._of_like_length(np.arange(len(self._sentences))):
            self._prior[columns] = without_photo(self._told(features, columns)).sum(axis=-1)

    def read(self, photos: np.ndarray, sentences: np.ndarray) -> None:
        """Fill in the pairs of some photos and some sentences."""
        if not len(sentences):
            return
        for first in range(0, len(photos), _PHOTOS):
            rows = photos[first : first + _PHOTOS]
            features = self._photos.rows(rows)
            for columns in self._of_like_length(sentences):
                self.log_probs[np.ix_(rows, columns)] = self._told(features, columns).sum(axis=-1)

    def _told(self, features: np.ndarray, columns: np.ndarray) -> np.ndarray:
        told = self._captioner.likelihoods(features, [self._sentences[i] for i in columns])
        self._done += len(features) * len(columns)
        self._on_read(self._done)
        return told

    def _of_like_length(self, sentences: np.ndarray) -> list[np.ndarray]:
        """Cut into groups that are read together, each to the end of its longest sentence."""
        ordered = sentences[np.argsort(self._lengths[sentences], kind="stable")]
        return [ordered[i : i + _SENTENCES] for i in range(0, len(ordered), _SENTENCES)]

    def scorings(self, asked: np.ndarray) -> dict[str, np.ndarray]:
        """Return the scores of the photos asked and all sentences, `(Q, N)`, in every way."""
        raw = self.log_probs[asked]
        words = np.maximum(self._judged, 1)
        gain = raw - self._prior
        return {RAW: raw, PER_WORD: raw / words, LESS_PRIOR: gain, GAIN: gain / words}
