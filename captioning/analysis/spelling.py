"""Likely misspellings: rare words one keystroke away from a common one."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from captioning.analysis.caption_index import CaptionIndex, stem

__all__ = ["Misspelling", "likely_misspellings", "one_edit_apart"]

_ENDINGS = frozenset(["s", "e", "d", "r", "y", "n", "t"])


@dataclass(frozen=True, slots=True)
class Misspelling:
    """A word that is probably a slip for another.

    Attributes:
        word: as it was written.
        count: how often it was.
        meant: the common word it is one edit away from.
        meant_count: how often that occurs.
        query: the search that finds the captions with the slip.
    """

    word: str
    count: int
    meant: str
    meant_count: int
    query: str


def likely_misspellings(
    index: CaptionIndex, *, at_most: int = 2, at_least: int = 40, shortest: int = 5
) -> list[Misspelling]:
    """Find rare words that are one edit away from a common word, those of the commonest first.

    An edit is a letter too many, too few, wrong, or two neighbours swapped.  Other forms of the
    common word (by stem, or by a last letter), words whose own other forms occur, a first letter
    that differs, and words with digits are left out: those are mostly right.  What remains is
    likely, not certain.

    Args:
        index: of the captions.
        at_most: a word that occurs more often is taken for right.
        at_least: a word that occurs less often is no correction.
        shortest: shorter words are left out; they are one edit away from too much.
    """
    counts = index.counts()
    common = [i for i in np.flatnonzero(counts >= at_least) if len(index.words[i]) >= shortest]
    by_rest: dict[str, set[int]] = defaultdict(set)
    for place in common:
        for rest in _deletions(index.words[place]):
            by_rest[rest].add(int(place))
    family = np.bincount(index.stems, counts)[index.stems]
    found = []
    for place in np.flatnonzero((counts > 0) & (family <= at_most)):
        word = index.words[place]
        if len(word) < shortest or not word.isalpha():
            continue
        near = {other for rest in _deletions(word) for other in by_rest.get(rest, ())}
        meant = [other for other in near if _slip(word, index.words[other])]
        if meant:
            best = max(meant, key=lambda other: (counts[other], index.words[other]))
            pair = (word, int(counts[place]), index.words[best], int(counts[best]))
            found.append(Misspelling(*pair, query=f'"{word}"'))
    return sorted(found, key=lambda slip: (-slip.meant_count / slip.count, slip.word))


def one_edit_apart(one: str, other: str) -> bool:
    """Tell whether two different words are one insertion, deletion, substitution or swap apart.

    >>> one_edit_apart("bicylce", "bicycle"), one_edit_apart("dog", "dogs")
    (True, True)
    >>> one_edit_apart("dog", "dog"), one_edit_apart("dog", "god")
    (False, False)
    """
    if len(one) > len(other):
        one, other = other, one
    if one == other or len(other) - len(one) > 1:
        return False
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    rest, other_rest = one[same:], other[same:]
    if len(one) < len(other):
        return rest == other_rest[1:]
    swapped = rest[1::-1] + rest[2:]
    return rest[1:] == other_rest[1:] or swapped == other_rest


def _slip(word: str, common: str) -> bool:
    """Tell whether `word` is a slip for `common` and not another form of it."""
    if word[0] != common[0] or stem(word) == stem(common) or not one_edit_apart(word, common):
        return False
    shorter, longer = sorted((word, common), key=len)
    inflected = longer[:-1] == shorter and longer[-1] in _ENDINGS
    return not inflected and word[:-1] != common[:-1]


def _deletions(word: str) -> Iterator[str]:
    """Yield the word and everything left of it when one letter goes (the trick of SymSpell)."""
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]
