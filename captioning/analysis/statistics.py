"""Counts over captions: lengths, words, vocabulary, openings, likely misspellings.

Every bar carries the search that finds exactly the captions it counts, so the bar of a chart and
the search page always agree.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.analysis.caption_index import CaptionIndex, stem
from captioning.datasets import SPLITS

COLORS = (
    "black white red blue green yellow brown orange pink purple gray grey tan gold silver beige"
).split()
PEOPLE = (
    "man men woman women boy boys girl girls child children kid kids baby toddler person people "
    "guy guys lady ladies couple family crowd player players"
).split()
ZIPF_POINTS = 80
MIN_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart.

    Attributes:
        label: what it counts.
        count: how many.
        query: the search that finds the captions behind it.
    """

    label: str
    count: int
    query: str


@dataclass(frozen=True, slots=True)
class ZipfCurve:
    """How often words occur against their rank, and the straight line in logarithms through it.

    Attributes:
        words: some words, from the most common on, evenly spread over the logarithm of the rank.
        ranks: their ranks, from 1.
        exponent: s in `count = constant / rank ** s`; Zipf's law says 1.
        constant: of the same line, a least-squares fit over all ranks spread evenly in logarithm.
    """

    words: tuple[Bar, ...]
    ranks: tuple[int, ...]
    exponent: float
    constant: float

    def expected(self, rank: int) -> float:
        """Return the count that the line gives a rank."""
        return float(self.constant / rank**self.exponent)


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What remains when words that are rarer than this in training captions are unknown.

    Attributes:
        min_count: how often a word must occur to be kept.
        words: words kept, the four special marks left out.
        known: the share of running words that is kept, for each split that has words.
        query: the search for captions with an unknown word.
    """

    min_count: int
    words: int
    known: dict[str, float]
    query: str


@dataclass(frozen=True, slots=True)
class SplitWords:
    """The words of one split.

    Attributes:
        split: which.
        captions: how many.
        running: words in all.
        distinct: different words.
        new: different words that no training caption has.
        query: the search for the captions with such a new word.
    """

    split: str
    captions: int
    running: int
    distinct: int
    new: int
    query: str


def lengths(index: CaptionIndex, split: str | None = None) -> list[Bar]:
    """Count captions by their length in words, from the shortest to the longest, gaps included."""
    counts = np.bincount(index.lengths[index.in_split(split)])
    used = np.flatnonzero(counts)
    span = range(int(used[0]), int(used[-1]) + 1) if len(used) else range(0)
    return [Bar(str(n), int(counts[n]), _within(f"len:{n}", split)) for n in span]


def word_counts(
    index: CaptionIndex,
    split: str | None = None,
    *,
    top: int = 30,
    among: Iterable[str] | None = None,
) -> list[Bar]:
    """Count how often words occur, the most common first, ties by the alphabet.

    Args:
        index: of the captions.
        split: of which split; all captions if None.
        top: how many words.
        among: only these words; all if None.
    """
    counts = index.counts(split)
    order = np.argsort(-counts, kind="stable")
    if among is not None:
        wanted = {index.ids[word] for word in among if word in index.ids}
        order = np.array([place for place in order if int(place) in wanted], np.int64)
    return [_word_bar(index, int(i), counts, split) for i in order[:top] if counts[i]]


def zipf(index: CaptionIndex) -> ZipfCurve:
    """Order the words by how often they occur, and fit Zipf's line (Zipf 1949)."""
    counts = index.counts()
    order = np.argsort(-counts, kind="stable")
    kept = int(np.count_nonzero(counts))
    if kept < 2:
        return ZipfCurve((), (), 1.0, float(counts.max(initial=0)))
    # Rounding merges the first ranks, which lie further apart than the points.
    ranks = np.unique(np.round(np.geomspace(1, kept, ZIPF_POINTS)).astype(int))
    y = np.log(counts[order[ranks - 1]])
    slope, height = np.polyfit(np.log(ranks), y, 1)
    words = tuple(_word_bar(index, int(order[rank - 1]), counts, None) for rank in ranks)
    return ZipfCurve(words, tuple(int(r) for r in ranks), float(-slope), math.exp(height))


def coverage(index: CaptionIndex, min_counts: Sequence[int] = MIN_COUNTS) -> list[CoveragePoint]:
    """Return, for each smallest count, how many words remain and how much text they cover."""
    training = index.training_counts
    by_split = {split: index.counts(split) for split in SPLITS}
    points = []
    for least in min_counts:
        kept = training >= least
        known = {s: float(c[kept].sum() / c.sum()) for s, c in by_split.items() if c.sum()}
        points.append(CoveragePoint(least, int(kept.sum()), known, f"rare:<{least}"))
    return points


def split_words(index: CaptionIndex) -> list[SplitWords]:
    """Count the words of each split, and those that are not in training."""
    rows = []
    for split in SPLITS:
        counts = index.counts(split)
        new = (counts > 0) & (index.training_counts == 0)
        rows.append(
            SplitWords(
                split=split,
                captions=int(index.in_split(split).sum()),
                running=int(counts.sum()),
                distinct=int(np.count_nonzero(counts)),
                new=int(new.sum()),
                query=_within("rare:<1", split),
            )
        )
    return rows


def openings(
    index: CaptionIndex, split: str | None = None, *, words: int = 3, top: int = 20
) -> list[Bar]:
    """Count the most common beginnings of `words` words, in captions with at least that many."""
    long_enough = np.flatnonzero(index.in_split(split) & (index.lengths >= words))
    begins = index.tokens[index.starts[long_enough][:, None] + np.arange(words)]
    counts = Counter(map(tuple, begins.tolist()))
    phrases = [(" ".join(index.words[i] for i in ids), n) for ids, n in counts.items()]
    phrases.sort(key=lambda pair: (-pair[1], pair[0]))
    return [Bar(text, n, _within(f'start:"{text}"', split)) for text, n in phrases[:top]]


def _word_bar(index: CaptionIndex, place: int, counts: np.ndarray, split: str | None) -> Bar:
    word = index.words[place]
    return Bar(word, int(counts[place]), _within(f'"{word}"', split))


def _within(query: str, split: str | None) -> str:
    return f"{query} split:{split}" if split else query


RARE, COMMON = 2, 40
"""A misspelling occurs at most as often as the first, its correction at least as often as the
second."""

SHORTEST = 5
"""Shorter words are one edit away from too many others to be called misspellings."""

_ENDINGS = frozenset(["s", "e", "d", "r", "y", "n", "t"])


@dataclass(frozen=True, slots=True)
class Misspelling:
    """A word that is probably a misspelling of another.

    Attributes:
        word: as it was written.
        count: how often it was.
        meant: the common word it is one edit away from.
        meant_count: how often that occurs.
        query: the search that finds the captions with the misspelling.
    """

    word: str
    count: int
    meant: str
    meant_count: int
    query: str


def likely_misspellings(index: CaptionIndex) -> list[Misspelling]:
    """Find rare words that are one edit away from a common word, those of the most common first.

    An edit is a letter too many, too few, wrong, or two neighbours swapped.  Other forms of the
    common word (by stem, or by a last letter), words whose own other forms occur, a first letter
    that differs, and words with digits are left out: those are mostly right.  What remains is
    likely, not certain.
    """
    counts = index.counts()
    common = [i for i in np.flatnonzero(counts >= COMMON) if len(index.words[i]) >= SHORTEST]
    by_rest: dict[str, set[int]] = defaultdict(set)
    for place in common:
        for rest in _deletions(index.words[place]):
            by_rest[rest].add(int(place))
    family = np.bincount(index.stems, counts)[index.stems]
    found = []
    for place in np.flatnonzero((counts > 0) & (family <= RARE)):
        word = index.words[place]
        if len(word) < SHORTEST or not word.isalpha():
            continue
        near = {other for rest in _deletions(word) for other in by_rest.get(rest, ())}
        meant = [other for other in near if _slip(word, index.words[other])]
        if meant:
            best = max(meant, key=lambda other: (counts[other], index.words[other]))
            pair = (word, int(counts[place]), index.words[best], int(counts[best]))
            found.append(Misspelling(*pair, query=f'"{word}"'))
    return sorted(found, key=lambda slip: (-slip.meant_count / slip.count, slip.word))


def one_edit_apart(one: str, other: str) -> bool:
    """Return whether two different words are one insertion, deletion, substitution or swap apart.

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
    """Return whether `word` is a misspelling of `common` and not another form of it."""
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
