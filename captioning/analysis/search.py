"""Finding captions: a query answered by the index, with the words that made it match."""

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from captioning.analysis.caption_index import CaptionIndex, token_spans
from captioning.analysis.query import (
    And,
    Length,
    Not,
    Or,
    Phrase,
    Query,
    Rare,
    Split,
    Word,
    leaves,
    parse,
)
from captioning.datasets import SPLITS, Photo

__all__ = ["Found", "find"]


@dataclass(frozen=True, eq=False)
class Found:
    """The captions a search found.

    Attributes:
        query: what was asked.
        captions: their numbers in the index, in its order, int64 `(n,)`.
    """

    query: Query
    captions: np.ndarray
    _index: CaptionIndex

    @cached_property
    def photos(self) -> tuple[Photo, ...]:
        """The photos these captions belong to, each once, in the order of the data set."""
        return tuple(self._index.dataset.photos[place] for place in self._photo_places)

    def captions_of(self, photo: int) -> np.ndarray:
        """Return the captions found of the photo at this place in `photos`, int64."""
        place = self._photo_places[photo]
        own: np.ndarray = self.captions[self._index.photo_of[self.captions] == place]
        return own

    def spans(self, caption: int) -> list[tuple[int, int]]:
        """Return the characters `[start, end)` of a raw caption that made it match, in order."""
        start, end = self._index.starts[caption], self._index.starts[caption + 1]
        words = token_spans(self._index.captions[caption])
        marked = self._marked[start:end]
        return [(w.start, w.end) for w, yes in zip(words, marked, strict=True) if yes]

    @cached_property
    def _photo_places(self) -> np.ndarray:
        return np.unique(self._index.photo_of[self.captions])

    @cached_property
    def _marked(self) -> np.ndarray:
        """Which of all words made a caption match, bool `(T,)`."""
        marked = np.zeros(len(self._index.tokens), bool)
        for leaf in leaves(self.query):
            marked[_places(self._index, leaf)] = True
        return marked


def find(index: CaptionIndex, query: str | Query, *, forms: bool = False) -> Found:
    """Find the captions that answer a search.

    Args:
        index: of the captions.
        query: a search in the language of `captioning.analysis.query`.
        forms: let every bare word stand for all its forms.

    Raises:
        QueryError: the search cannot be understood.
    """
    asked = parse(query, forms=forms) if isinstance(query, str) else query
    return Found(asked, np.flatnonzero(_answer(index, asked)), index)


def _answer(index: CaptionIndex, query: Query) -> np.ndarray:
    """Tell for each caption whether the query finds it, bool `(N,)`."""
    found: np.ndarray
    match query:
        case And(parts):
            return reduce(np.logical_and, [_answer(index, part) for part in parts])
        case Or(parts):
            return reduce(np.logical_or, [_answer(index, part) for part in parts])
        case Not(part):
            return ~_answer(index, part)
        case Length(low, high):
            found = (index.lengths >= low) & (index.lengths <= high)
        case Split(name):
            found = index.splits == (-1 if name is None else SPLITS.index(name))
        case _:
            found = np.zeros(len(index.captions), bool)
            found[index.caption_of[_places(index, query)]] = True
    return found


def _places(index: CaptionIndex, query: Query) -> np.ndarray:
    """Return the places in `index.tokens` of the words a leaf looks for."""
    match query:
        case Word(word, forms=True):
            return index.places_of(np.flatnonzero(index.stems == index.stem_number(word)))
        case Word(word):
            return _places_of_word(index, word)
        case Phrase(words, opening):
            return _phrase_places(index, words, opening)
        case Rare(below):
            return index.places_of(np.flatnonzero(index.training_counts < below))
    return np.zeros(0, np.int32)


def _places_of_word(index: CaptionIndex, word: str) -> np.ndarray:
    place = index.ids.get(word)
    return np.zeros(0, np.int32) if place is None else index.places(place)


def _phrase_places(index: CaptionIndex, words: tuple[str, ...], opening: bool) -> np.ndarray:
    """Return the places of all words of a phrase, wherever it stands within one caption."""
    begins = _places_of_word(index, words[0])
    for offset, word in enumerate(words[1:], start=1):
        begins = np.intersect1d(begins, _places_of_word(index, word) - offset, assume_unique=True)
    if len(begins):
        captions = index.caption_of[begins]
        inside = begins + len(words) <= index.starts[captions + 1]
        if opening:
            inside &= begins == index.starts[captions]
        begins = begins[inside]
    return (begins[:, None] + np.arange(len(words))).ravel()
