"""An inverted index over the captions of a data set, and photos ranked by a sentence.

All captions are one row of word ids, one after the other, and the index lists for each word the
places it stands at.  Counting, searching and phrases are then a few NumPy operations over some
hundred thousand numbers.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from captioning.analysis.disk_cache import read_arrays, shelf, text_array, texts_of, write_arrays
from captioning.datasets import SPLITS, CaptionDataset, Photo
from captioning.text import tokenize

if TYPE_CHECKING:
    from nltk.stem.snowball import SnowballStemmer

FORMAT_VERSION = 1

_CHUNK = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A word of a caption and the characters `[start, end)` of the raw text it was made of."""

    word: str
    start: int
    end: int


def token_spans(caption: str) -> Iterator[TokenSpan]:
    """Yield the words of `tokenize(caption)`, each with its place in the raw text.

    >>> [(span.word, span.start, span.end) for span in token_spans("A dog , wet .")]
    [('a', 0, 1), ('dog', 2, 5), ('wet', 8, 11)]
    """
    for chunk in _CHUNK.finditer(caption):
        # Lower-casing can split nothing and stripping can only empty a chunk.
        for word in tokenize(chunk.group()):
            yield TokenSpan(word, chunk.start(), chunk.end())


@dataclass(frozen=True, eq=False)
class CaptionIndex:
    """The captions of one data set, searchable.  N captions, T words in all, V different ones.

    Attributes:
        dataset: whose captions.
        captions: N raw captions, photo after photo in the order of the data set.
        photo_of: the place of each caption's photo in `dataset.photos`, int32 `(N,)`.
        words: V different words in the order of the alphabet.
        stems: the number of each word's stem; words of one stem share it, int32 `(V,)`.
        tokens: the captions' words as places in `words`, int32 `(T,)`.
        starts: where each caption begins in `tokens`, and T behind them, int32 `(N + 1,)`.
        order: the places in `tokens`, ordered by word and then by place, int32 `(T,)`.
        word_starts: where each word's places begin in `order`, and T, int32 `(V + 1,)`.
    """

    dataset: CaptionDataset
    captions: tuple[str, ...]
    photo_of: np.ndarray
    words: tuple[str, ...]
    stems: np.ndarray
    tokens: np.ndarray
    starts: np.ndarray
    order: np.ndarray
    word_starts: np.ndarray

    @cached_property
    def ids(self) -> dict[str, int]:
        """The place of each word in `words`."""
        return {word: place for place, word in enumerate(self.words)}

    def stem_number(self, word: str) -> int | None:
        """Return the number of a word's stem, None if no caption has any form of the word."""
        place = self.ids.get(word)
        if place is not None:
            return int(self.stems[place])
        root = stem(word)
        # A stem keeps the first letter, so only the words with that letter can share it.
        first, behind = (
            bisect_left(self.words, text) for text in (root[:1], f"{root[:1]}\U0010ffff")
        )
        found = (i for i in range(first, behind) if stem(self.words[i]) == root)
        return next((int(self.stems[i]) for i in found), None)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Words in each caption, int32 `(N,)`."""
        return np.diff(self.starts)

    @cached_property
    def caption_of(self) -> np.ndarray:
        """The caption each word stands in, int32 `(T,)`."""
        return np.repeat(np.arange(len(self.captions), dtype=np.int32), self.lengths)

    @cached_property
    def splits(self) -> np.ndarray:
        """The split of each caption as its place in `SPLITS`, -1 for none, int8 `(N,)`."""
        number = {split: place for place, split in enumerate(SPLITS)}
        of_photo = [number.get(photo.split or "", -1) for photo in self.dataset.photos]
        splits: np.ndarray = np.array(of_photo, np.int8)[self.photo_of]
        return splits

    @cached_property
    def training_counts(self) -> np.ndarray:
        """How often each word occurs in training captions, int64 `(V,)`."""
        training = self.in_split("train")
        kept = self.tokens[training[self.caption_of]]
        return np.bincount(kept, minlength=len(self.words))

    def in_split(self, split: str | None) -> np.ndarray:
        """Return which captions belong to a split, or to any if None, bool `(N,)`."""
        if split is None:
            return np.ones(len(self.captions), bool)
        inside: np.ndarray = self.splits == SPLITS.index(split)
        return inside

    def counts(self, split: str | None = None) -> np.ndarray:
        """How often each word occurs in a split, int64 `(V,)`."""
        kept = self.in_split(split)[self.caption_of]
        return np.bincount(self.tokens[kept], minlength=len(self.words))

    def places(self, word: int) -> np.ndarray:
        """Return where a word stands in `tokens`, in order, int32."""
        return self.order[self.word_starts[word] : self.word_starts[word + 1]]

    def places_of(self, words: np.ndarray) -> np.ndarray:
        """Return where any of several words stands, int32, ordered by word."""
        parts = [self.places(int(word)) for word in words]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def open_index(dataset: CaptionDataset) -> CaptionIndex:
    """Return the index of a data set: as it was kept on disk, else built and kept."""
    path = shelf(dataset) / "captions.npz"
    arrays = read_arrays(path, FORMAT_VERSION)
    if arrays is not None:
        try:
            return _assemble(dataset, texts_of(arrays.pop("words")), arrays)
        except (KeyError, ValueError, TypeError):
            pass  # a damaged file is written again
    index = build_index(dataset)
    kept = ("stems", "tokens", "starts", "order", "word_starts")
    stored = {name: getattr(index, name) for name in kept}
    write_arrays(path, FORMAT_VERSION, {**stored, "words": text_array(index.words)})
    return index


def build_index(dataset: CaptionDataset) -> CaptionIndex:
    """Read every caption and note where each word stands."""
    tokenized = [tokenize(caption) for photo in dataset.photos for caption in photo.captions]
    words = tuple(sorted(set(chain.from_iterable(tokenized))))
    ids = {word: place for place, word in enumerate(words)}
    tokens = np.array([ids[word] for word in chain.from_iterable(tokenized)], np.int32)
    starts = np.concatenate([[0], np.cumsum([len(caption) for caption in tokenized])])
    counts = np.bincount(tokens, minlength=len(words))
    arrays = {
        "stems": _stem_numbers(words),
        "tokens": tokens,
        "starts": starts.astype(np.int32),
        "order": np.argsort(tokens, kind="stable").astype(np.int32),
        "word_starts": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
    }
    return _assemble(dataset, words, arrays)


def stem(word: str) -> str:
    """Return a word's stem by Porter's second stemmer ("Snowball"), which needs no data.

    >>> stem("running"), stem("dogs")
    ('run', 'dog')
    """
    return str(_stemmer().stem(word))


@cache
def _stemmer() -> "SnowballStemmer":
    # Most pages need no stem, and importing nltk takes a third of a second.
    from nltk.stem.snowball import SnowballStemmer

    return SnowballStemmer("english")


def _stem_numbers(words: Sequence[str]) -> np.ndarray:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(stem(word), len(numbers)) for word in words], np.int32)


def _assemble(
    dataset: CaptionDataset, words: tuple[str, ...], arrays: dict[str, np.ndarray]
) -> CaptionIndex:
    """Put an index together.

    Raises:
        ValueError: the arrays do not fit together or to the captions.
    """
    captions = tuple(caption for photo in dataset.photos for caption in photo.captions)
    each = [len(photo.captions) for photo in dataset.photos]
    photo_of = np.repeat(np.arange(len(each), dtype=np.int32), each)
    index = CaptionIndex(dataset, captions, photo_of, words, **arrays)
    total = len(index.tokens)
    fits = (
        len(index.starts) == len(captions) + 1
        and len(index.order) == total
        and len(index.word_starts) == len(words) + 1
        and len(index.stems) == len(words)
        and index.starts[-1] == index.word_starts[-1] == total
    )
    if not fits:
        raise ValueError("The stored index does not fit its data set.")
    return index


@dataclass(frozen=True)
class Hit:
    """A photo found.

    Attributes:
        photo: which.
        score: BM25, the sum of what its words add.
        words: the words of the sentence that its captions have, the most important first, each with
            what it adds to the score.
    """

    photo: Photo
    score: float
    words: tuple[tuple[str, float], ...]


class PhotoRanking:
    """Ranks the photos of a data set by sentences, through what people wrote about them.

    A photo is the document made of its captions; BM25 (Robertson and Zaragoza 2009, as Lucene
    computes it) weighs a shared word by how rare it is.  Words are compared by their stems.
    Read-only once made, so threads may share it.
    """

    def __init__(self, index: CaptionIndex) -> None:
        """Weigh every stem in every photo; about a second for 8,000 photos."""
        self._photos = index.dataset.photos
        # Only a search by a sentence needs it, and importing it takes a quarter of a second.
        from bm25s import BM25

        self._index = index
        stems = index.stems[index.tokens]
        edges = index.starts[np.searchsorted(index.photo_of, np.arange(len(self._photos) + 1))]
        documents = [stems[a:b].tolist() for a, b in zip(edges, edges[1:], strict=False)]
        self._bm25 = BM25()
        if len(stems):
            texts = [[str(number) for number in document] for document in documents]
            self._bm25.index(texts, show_progress=False)

    def nearest(self, sentence: str, count: int = 12) -> list[Hit]:
        """Return the photos that fit a sentence best, best first; only such that share a word."""
        words = {self._index.stem_number(word): word for word in tokenize(sentence)}
        known = {word: str(number) for number, word in words.items() if number is not None}
        if not known:
            return []
        parts = np.stack([self._bm25.get_scores([number]) for number in known.values()])
        scores = parts.sum(axis=0)
        order = np.argsort(-scores, kind="stable")[:count]
        return [
            self._hit(int(place), scores, parts, list(known))
            for place in order
            if scores[place] > 0
        ]

    def unknown(self, sentence: str) -> list[str]:
        """Return the words of a sentence that no caption has in any form."""
        return [w for w in tokenize(sentence) if self._index.stem_number(w) is None]

    def _hit(self, place: int, scores: np.ndarray, parts: np.ndarray, words: list[str]) -> Hit:
        added = [(word, float(part[place])) for word, part in zip(words, parts, strict=True)]
        shared = sorted((pair for pair in added if pair[1] > 0), key=lambda pair: -pair[1])
        return Hit(self._photos[place], float(scores[place]), tuple(shared))
