"""What a model says more often than people do, and what it says that nobody saw."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from captioning.lessons.lexicon import thing_of
from captioning.text import tokenize

__all__ = ["Hallucinations", "Shift", "hallucinations", "unseen_things"]


@dataclass(frozen=True, slots=True)
class Shift:
    """How often the first word of a pair is said rather than the second, by people and by a model.

    Attributes:
        one: the first word, and `other` the second.
        other: see there.
        people: captions by people that have the first, and that have the second.
        model: captions by the model, likewise.
    """

    one: str
    other: str
    people: tuple[int, int]
    model: tuple[int, int]

    @property
    def of_people(self) -> float | None:
        """Share of the first word among people's captions, 0 to 1; None if they say neither."""
        return _share(self.people)

    @property
    def of_model(self) -> float | None:
        """The same for the model's captions."""
        return _share(self.model)

    @property
    def difference(self) -> float | None:
        """How much larger the share is in the model's captions; None where there is none."""
        if self.of_model is None or self.of_people is None:
            return None
        return self.of_model - self.of_people

    @property
    def error(self) -> float | None:
        """The standard error of `difference`, as if every caption were drawn by itself."""
        if self.of_model is None or self.of_people is None:
            return None
        parts = ((self.of_people, sum(self.people)), (self.of_model, sum(self.model)))
        return math.sqrt(math.fsum(share * (1 - share) / n for share, n in parts))

    @property
    def beyond_chance(self) -> bool:
        """Whether the difference is more than twice its standard error, on 10 words and more."""
        enough = min(sum(self.people), sum(self.model)) >= 10
        return enough and abs(self.difference or 0.0) > 2 * (self.error or 0.0)

    def formula(self) -> str:
        r"""Write the difference as LaTeX."""
        if self.difference is None:
            return r"\frac{0}{0}"
        (a, b), (c, d) = self.model, self.people
        return (
            rf"\frac{{{a}}}{{{a} + {b}}} - \frac{{{c}}}{{{c} + {d}}} = "
            rf"{self.of_model:.3f} - {self.of_people:.3f} = {self.difference:+.3f}"
        )


@dataclass(frozen=True, slots=True)
class Hallucinations:
    """Things in captions that no reference of the same photo names.

    Attributes:
        named: mentions of known things in all captions.
        unseen: mentions among them that no reference supports.
        captions: how many captions were read.
        with_unseen: captions with at least one such mention.
        examples: names of photos, with the caption's unseen words.
    """

    named: int
    unseen: int
    captions: int
    with_unseen: int
    examples: Mapping[str, tuple[str, ...]]

    @property
    def of_mentions(self) -> float:
        """The share of mentions that nobody saw, as CHAIR-i of Rohrbach et al. 2018."""
        return self.unseen / self.named if self.named else 0.0

    @property
    def of_captions(self) -> float:
        """The share of captions with such a mention, as their CHAIR-s."""
        return self.with_unseen / self.captions if self.captions else 0.0

    def formula(self) -> str:
        r"""Write the share of mentions as LaTeX."""
        if not self.named:
            return r"\frac{0}{0}"
        return rf"\frac{{{self.unseen}}}{{{self.named}}} = {self.of_mentions:.3f}"


def unseen_things(caption: str, references: Sequence[str]) -> list[str]:
    """Return the words of a caption that name a thing no reference names, in any of its words.

    >>> unseen_things("a puppy on a bench", ["A dog.", "a hound lies on stone"])
    ['bench']
    """
    seen = {thing_of(word) for text in references for word in tokenize(text)}
    return [w for w in tokenize(caption) if (thing := thing_of(w)) and thing not in seen]


def hallucinations(
    captions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> Hallucinations:
    """Count things that captions name and nobody saw.

    After CHAIR of Rohrbach et al., "Object Hallucination in Image Captioning", EMNLP 2018, but
    with the few things of `captioning.lessons.lexicon` and with people's captions alone as truth:
    a thing they left out counts as unseen, so this is an upper bound.

    Args:
        captions: by photo name.
        references: by photo name.
    """
    named = unseen = 0
    examples: dict[str, tuple[str, ...]] = {}
    for name, caption in captions.items():
        mentions = [word for word in tokenize(caption) if thing_of(word)]
        wrong = unseen_things(caption, references[name])
        named, unseen = named + len(mentions), unseen + len(wrong)
        if wrong:
            examples[name] = tuple(wrong)
    return Hallucinations(named, unseen, len(captions), len(examples), examples)


def _share(pair: tuple[int, int]) -> float | None:
    return pair[0] / sum(pair) if sum(pair) else None
