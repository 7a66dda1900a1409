"""Gendered and other loaded words, counted in the references and in a model's captions.

A model tends to say the more common word of a pair still more often than people do ("Men Also Like
Shopping", Zhao et al., EMNLP 2017; "Women Also Snowboard", Hendricks et al., ECCV 2018).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captioning.text import clean

PAIRS = {
    "Gender": (
        ("man", "woman"),
        ("men", "women"),
        ("boy", "girl"),
        ("boys", "girls"),
        ("he", "she"),
        ("his", "her"),
        ("guy", "lady"),
    ),
    "Age": (("old", "young"), ("adult", "child")),
    "Skin": (("white man", "black man"), ("white woman", "black woman")),
    "For comparison": (("big", "small"), ("left", "right"), ("red", "blue")),
}
"""Pairs of words that are often confused in captions, and some harmless ones."""

LOADED = (
    "asian african hispanic indian oriental caucasian mexican fat chubby skinny pretty beautiful "
    "attractive ugly homeless poor elderly disabled muslim tribal"
).split()
"""Words that judge a person, or guess what a photo cannot show."""


@dataclass(frozen=True, slots=True)
class WordCount:
    """How many captions contain a word or phrase.

    Attributes:
        phrase: clean words.
        references: captions by people that have it.
        written: captions by the model that have it; None without a model.
        query: the search that finds the references.
    """

    phrase: str
    references: int
    written: int | None
    query: str


@dataclass(frozen=True, slots=True)
class PairCount:
    """The two sides of a pair.

    Attributes:
        group: what the pair is about.
        one: its first side.
        other: its second side.
    """

    group: str
    one: WordCount
    other: WordCount

    @property
    def share_in_references(self) -> float | None:
        """The share of the first side among both, 0 to 1; None if neither occurs."""
        return _share(self.one.references, self.other.references)

    @property
    def share_written(self) -> float | None:
        """The same in the model's captions; None if it says neither, or there is no model."""
        return _share(self.one.written or 0, self.other.written or 0)


def count_pairs(references: Iterable[str], written: Iterable[str] | None = None) -> list[PairCount]:
    """Count both sides of every pair that occurs.

    Args:
        references: what people wrote, raw.
        written: what a model wrote, if there is one.
    """
    people, model = _padded(references), None if written is None else _padded(written)
    pairs = [
        PairCount(group, _count(one, people, model), _count(other, people, model))
        for group, sides in PAIRS.items()
        for one, other in sides
    ]
    return [p for p in pairs if any(side.references or side.written for side in (p.one, p.other))]


def count_words(references: Iterable[str], written: Iterable[str] | None = None) -> list[WordCount]:
    """Count the loaded words that occur, the most common first."""
    people, model = _padded(references), None if written is None else _padded(written)
    counts = [_count(word, people, model) for word in LOADED]
    counts = [count for count in counts if count.references or count.written]
    return sorted(counts, key=lambda count: (-count.references, count.phrase))


def _padded(captions: Iterable[str]) -> list[str]:
    # With a space around each word, a phrase is found as a piece of text, and only as whole words.
    return [f" {clean(caption)} " for caption in captions]


def _count(phrase: str, people: Sequence[str], model: Sequence[str] | None) -> WordCount:
    wanted = f" {phrase} "
    written = None if model is None else sum(wanted in caption for caption in model)
    return WordCount(phrase, sum(wanted in caption for caption in people), written, f'"{phrase}"')


def _share(one: int, other: int) -> float | None:
    return one / (one + other) if one + other else None
