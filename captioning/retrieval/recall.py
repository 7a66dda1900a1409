"""Recall at 1, 5 and 10 of a captioning model: photos for sentences, and sentences for photos.

This needs p(sentence | photo) for every pair.  For 1,000 photos with a sentence each, these are a
million readings, which take minutes; so queries are taken in random order, each against all 1,000
candidates, and the recall so far is reported with its interval after every few queries.  Stopping
early only widens the interval, unless the recall so far decides when to stop.
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

DEPTHS = (1, 5, 10)
RAW, PER_WORD, LESS_PRIOR, GAIN = SCORINGS = (
    "log-probability",
    "log-probability a word",
    "less the prior",
    "less the prior, a word",
)
"""Scores of sentences for one photo; photos for one sentence have the same order by all four."""

BLOCK = 10
"""Queries of each direction between two reports."""
_PHOTOS, _SENTENCES = 64, 16
"""Pairs per call of the model: about a third of a second."""
_FOR_PRIOR = 16
"""Photos over which a sentence's probability without a photo is averaged."""
_Z = 1.959964


class Recall(NamedTuple):
    """The ranks of the correct answers of Q queries.

    Attributes:
        ranks: of the correct answers, from 1, int64 `(Q,)`.
        candidates: number of possible answers.
    """

    ranks: np.ndarray
    candidates: int

    def at(self, depth: int) -> float:
        """Return the share of queries whose correct answer is in the top `depth`, 0 to 1."""
        return float((self.ranks <= depth).mean())

    def interval(self, depth: int) -> tuple[float, float]:
        """Return Wilson's 95% interval of `at(depth)`."""
        share, count = self.at(depth), len(self.ranks)
        scale = 1 + _Z**2 / count
        middle = (share + _Z**2 / (2 * count)) / scale
        half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / scale
        return max(0.0, middle - half), min(1.0, middle + half)

    def chance(self, depth: int) -> float:
        """Return the recall of random guesses."""
        return min(1.0, depth / self.candidates)

    @property
    def median(self) -> float:
        """The median rank of the correct answer."""
        return float(np.median(self.ranks))


@dataclass(frozen=True)
class RecallSoFar:
    """Recall after some of the queries.

    Attributes:
        done: queries done in each direction.
        total: queries in each direction.
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
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[RecallSoFar]:
    """Measure recall in both directions; yield the recall so far after every few queries.

    Args:
        captioner: the model; between blocks of pairs it serves other callers.
        photos: N of them.
        sentences: one about each photo, in the same order.
        queries: number of photos and sentences, drawn at random, that are searched among all N.
        on_progress: called with the number of pairs read and of all; an exception that it raises
            ends the measurement.

    Raises:
        ConfigError: the numbers of sentences and photos differ, or there is no photo.
    """
    if len(photos) != len(sentences) or not len(photos):
        raise ConfigError(
            f"Recall needs one sentence for each photo; there are {len(photos)} photos and "
            f"{len(sentences)} sentences."
        )
    total = min(queries, len(photos))
    order = np.random.default_rng(0).permutation(len(photos))
    left_out = len(photos) - total
    pairs = len(photos) ** 2 - left_out**2 + min(_FOR_PRIOR, len(photos)) * len(photos)
    table = _Table(captioner, photos, sentences, lambda done: on_progress(done, pairs))
    table.read_prior()
    for start in range(0, total, BLOCK):
        stop = min(start + BLOCK, total)
        # The rows and columns of earlier queries are already filled.
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
    """Rank the correct photo of each queried sentence among all photos.

    Args:
        scores: of photo and sentence, `(N, N)`, the correct pairs on the diagonal.
        asked: the sentences, as columns, int64 `(Q,)`.

    Returns:
        int64 `(Q,)` from 1; equal scores count as better.
    """
    columns = scores[:, asked]
    own = columns[asked, np.arange(len(asked))]
    ranks: np.ndarray = (columns >= own).sum(axis=0)
    return ranks


def ranks_of_sentences(scores: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Rank the correct sentence of each queried photo among all sentences.

    Args:
        scores: of the queried photos and all sentences, `(Q, N)`.
        asked: which photos they are, int64 `(Q,)`.

    Returns:
        int64 `(Q,)` from 1; equal scores count as better.
    """
    own = scores[np.arange(len(asked)), asked]
    ranks: np.ndarray = (scores >= own[:, None]).sum(axis=1)
    return ranks


class _Table:
    """log p(sentence | photo) of the pairs read so far."""

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
        # The counts of numbers from `likelihoods`: known words, and the end if it is reached.
        self._judged = np.array(
            [sum(w in vocabulary for w in ws[:longest]) + (len(ws) <= longest) for ws in words]
        )
        self._lengths = np.array([len(ws) for ws in words])
        self._prior = np.zeros(len(sentences))

    def read_prior(self) -> None:
        """Compute the log-probability of each sentence without a photo."""
        count = len(self._photos)
        some = np.linspace(0, count - 1, min(_FOR_PRIOR, count)).astype(np.int64)
        features = self._photos.rows(some)
        for columns in self._of_like_length(np.arange(len(self._sentences))):
            self._prior[columns] = without_photo(self._log_probs(features, columns)).sum(axis=-1)

    def read(self, photos: np.ndarray, sentences: np.ndarray) -> None:
        """Fill in the pairs of some photos and some sentences."""
        if not len(sentences):
            return
        for first in range(0, len(photos), _PHOTOS):
            rows = photos[first : first + _PHOTOS]
            features = self._photos.rows(rows)
            for columns in self._of_like_length(sentences):
                self.log_probs[np.ix_(rows, columns)] = self._log_probs(features, columns).sum(
                    axis=-1
                )

    def _log_probs(self, features: np.ndarray, columns: np.ndarray) -> np.ndarray:
        log_probs = self._captioner.likelihoods(features, [self._sentences[i] for i in columns])
        self._done += len(features) * len(columns)
        self._on_read(self._done)
        return log_probs

    def _of_like_length(self, sentences: np.ndarray) -> list[np.ndarray]:
        """Group sentences of similar length, which are read together."""
        ordered = sentences[np.argsort(self._lengths[sentences], kind="stable")]
        return [ordered[i : i + _SENTENCES] for i in range(0, len(ordered), _SENTENCES)]

    def scorings(self, asked: np.ndarray) -> dict[str, np.ndarray]:
        """Return the scores of the queried photos and all sentences, `(Q, N)`, by `SCORINGS`."""
        raw = self.log_probs[asked]
        words = np.maximum(self._judged, 1)
        gain = raw - self._prior
        return {RAW: raw, PER_WORD: raw / words, LESS_PRIOR: gain, GAIN: gain / words}
