"""The language in which captions are searched.

    dog                     captions with the word
    "red ball"              ... with these words one behind the other
    ~run                    ... with a form of the word: run, runs, running
    dog cat    dog AND cat  both      dog OR cat  either      NOT dog  without
    (dog OR cat) NOT grass  AND binds closer than OR, NOT closer than AND
    len:12  len:>12  len:5..8      length in words
    split:test              train, dev, test, or none
    start:"two dogs"        how the caption begins
    rare:<3                 ... with a word that training captions have less than 3 times

Operators are written in capitals, so that "and", "or" and "not" can be looked for as words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from captioning.datasets import SPLITS
from captioning.errors import QueryError
from captioning.text import tokenize

__all__ = [
    "And",
    "Length",
    "Not",
    "Or",
    "Phrase",
    "Query",
    "Rare",
    "Split",
    "Word",
    "leaves",
    "parse",
]

MAX_DEPTH = 40
NO_LIMIT = 10**6


@dataclass(frozen=True)
class Word:
    """A word, or with `forms` any word of the same stem."""

    word: str
    forms: bool = False


@dataclass(frozen=True)
class Phrase:
    """Words one behind the other; with `opening`, at the beginning of the caption."""

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
    """Read a search.

    Args:
        text: what was typed.
        forms: take every bare word as if `~` stood before it; words in quotes stay exact.

    Raises:
        QueryError: it is empty, or breaks off, or means nothing; the text says where.

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
