"""Search in captions: a small query language, answered by the index, with the matching words.

    dog                     captions with the word
    "red ball"              ... with these words one after the other
    ~run                    ... with a form of the word: run, runs, running
    dog cat    dog AND cat  both      dog OR cat  either      NOT dog  without
    (dog OR cat) NOT grass  AND binds closer than OR, NOT closer than AND
    len:12  len:>12  len:5..8      length in words
    split:test              train, dev, test, or none
    start:"two dogs"        how the caption begins
    rare:<3                 ... with a word that training captions have less than 3 times

Operators are written in capitals, so that "and", "or" and "not" can be searched for as words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from captioning.analysis.caption_index import CaptionIndex, token_spans
from captioning.datasets import SPLITS, Photo
from captioning.errors import QueryError
from captioning.text import tokenize

MAX_DEPTH = 40
NO_LIMIT = 10**6


@dataclass(frozen=True)
class Word:
    """A word, or with `forms` any word of the same stem."""

    word: str
    forms: bool = False


@dataclass(frozen=True)
class Phrase:
    """Words one after the other; with `opening`, at the beginning of the caption."""

    words: tuple[str, ...]
    opening: bool = False


@dataclass(frozen=True)
class Length:
    """Captions of `low` to `high` words, both included."""

    low: int
    high: int


@dataclass(frozen=True)
class Split:
    """Captions of a split; None are those in no split."""

    name: str | None


@dataclass(frozen=True)
class Rare:
    """Captions with a word that training captions have less than `below` times."""

    below: int


@dataclass(frozen=True)
class And:
    """Captions that all parts find."""

    parts: tuple["Query", ...]


@dataclass(frozen=True)
class Or:
    """Captions that at least one part finds."""

    parts: tuple["Query", ...]


@dataclass(frozen=True)
class Not:
    """Captions that the part does not find."""

    part: "Query"


Query = Word | Phrase | Length | Split | Rare | And | Or | Not

_TOKEN = re.compile(
    r'(?P<field>[A-Za-z]+):(?P<value>"[^"]*"|[^\s()"]*)'
    r'|(?P<phrase>"[^"]*")|(?P<bracket>[()])|(?P<word>[^\s()"]+)|(?P<stray>")'
)
_RANGE = re.compile(
    r"(?P<sign><=|>=|<|>|=)?(?P<number>\d{1,6})|(?P<low>\d{1,6})\.\.(?P<high>\d{1,6})"
)


def parse(text: str, *, forms: bool = False) -> Query:
    """Parse a search.

    Args:
        text: what was typed.
        forms: take every bare word as if `~` stood before it; words in quotes stay exact.

    Raises:
        QueryError: it is empty, incomplete or invalid; the text says where.

    >>> parse('dog NOT "red ball"')
    And(parts=(Word(word='dog', forms=False), Not(part=Phrase(words=('red', 'ball'), opening=False))))
    """  # noqa: E501 (a doctest's output is one line)
    if not text.strip():
        raise QueryError('There is nothing to look for. Type a word, or "a phrase" in quotes.')
    reader = _Reader(list(_TOKEN.finditer(text)), forms)
    query = reader.either()
    if reader.ahead is not None:
        raise QueryError("A bracket ')' closes nothing. Remove it, or open one before it.")
    return query


class _Reader:
    """A recursive descent: `either` over `both` over `one`."""

    def __init__(self, tokens: list[re.Match[str]], forms: bool) -> None:
        self._tokens = tokens
        self._forms = forms
        self._at = 0
        self._depth = 0

    @property
    def ahead(self) -> str | None:
        """What comes next, None at the end."""
        return self._tokens[self._at].group() if self._at < len(self._tokens) else None

    def either(self) -> Query:
        parts = [self.both()]
        while self.ahead == "OR":
            self._at += 1
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def both(self) -> Query:
        parts = [self.one()]
        while self.ahead not in (None, "OR", ")"):
            if self.ahead == "AND":
                self._at += 1
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self) -> Query:
        ahead = self.ahead
        if ahead is None or ahead in ("AND", "OR", ")"):
            raise QueryError(_missing(self._tokens[self._at - 1].group() if self._at else None))
        self._at += 1
        if ahead in ("NOT", "("):
            return self._nested(ahead)
        return _leaf(self._tokens[self._at - 1], self._forms)

    def _nested(self, opener: str) -> Query:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            # A sentence for a thousand brackets, where recursion would run out of stack.
            raise QueryError(f"The search is nested more than {MAX_DEPTH} deep. Make it simpler.")
        inner = Not(self.one()) if opener == "NOT" else self._bracketed()
        self._depth -= 1
        return inner

    def _bracketed(self) -> Query:
        inner = self.either()
        if self.ahead != ")":
            raise QueryError("A bracket '(' is not closed. Add ')' where it should end.")
        self._at += 1
        return inner


def _missing(before: str | None) -> str:
    if before is None:
        return "The search begins with AND, OR or ')'. Put something to look for before it."
    return f"Something to look for is missing after {before}."


def _leaf(token: re.Match[str], forms: bool) -> Query:
    if token["field"]:
        return _field(token["field"].lower(), token["value"])
    if token["stray"]:
        raise QueryError("A quote is not closed. Add a second one where the phrase should end.")
    if token["phrase"]:
        return _phrase(token["phrase"])
    word = token["word"]
    return _word(word, forms or word.startswith("~"))


def _word(text: str, forms: bool) -> Query:
    words = _words(text)
    return Word(words[0], forms) if len(words) == 1 else Phrase(tuple(words))


def _phrase(quoted: str, *, opening: bool = False) -> Query:
    words = tuple(_words(quoted))
    return Phrase(words, opening) if opening or len(words) > 1 else Word(words[0])


def _words(text: str) -> list[str]:
    words = tokenize(text)
    if not words:
        raise QueryError(f"{text} has no letter and no digit, and captions keep only these.")
    return words


def _field(name: str, value: str) -> Query:
    match name:
        case "len":
            return Length(*_range(name, value))
        case "rare":
            return Rare(_range(name, value)[1] + 1)
        case "split":
            return Split(_split(value))
        case "start":
            return _phrase(value, opening=True)
    raise QueryError(
        f"There is no search '{name}:'. There are len:, split:, start: and rare:, as in "
        'len:>12 split:test start:"two dogs" rare:<3.'
    )


def _split(value: str) -> str | None:
    if value == "none":
        return None
    if value not in SPLITS:
        raise QueryError(f"There is no split '{value}'; there are {', '.join(SPLITS)} and none.")
    return value


def _range(name: str, value: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(value)
    if found is None:
        raise QueryError(
            f"'{name}:{value}' is no number. Write {name}:12, {name}:>12, {name}:<5 or {name}:5..8."
        )
    if found["low"]:
        return int(found["low"]), int(found["high"])
    number = int(found["number"])
    match found["sign"]:
        case "<":
            return 0, number - 1
        case "<=":
            return 0, number
        case ">":
            return number + 1, NO_LIMIT
        case ">=":
            return number, NO_LIMIT
    return number, number


def leaves(query: Query) -> Iterator[Query]:
    """Yield the parts of a search that find words, leaving out what stands under NOT."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not():
            return
        case _:
            yield query


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
        query: a search in the language of `captioning.analysis.search`.
        forms: let every bare word stand for all its forms.

    Raises:
        QueryError: the search cannot be understood.
    """
    asked = parse(query, forms=forms) if isinstance(query, str) else query
    return Found(asked, np.flatnonzero(_answer(index, asked)), index)


def _answer(index: CaptionIndex, query: Query) -> np.ndarray:
    """Return for each caption whether the query finds it, bool `(N,)`."""
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
