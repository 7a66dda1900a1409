"""Limits of a captioner: words it overuses, things that are not there, changed and odd pictures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from captioning.lessons.lexicon import thing_of
from captioning.text import tokenize


@dataclass(frozen=True, slots=True)
class Shift:
    """How often people and a model use the first word of a pair rather than the second.

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
        """Share of the first word among people's captions, 0 to 1; None if they have neither."""
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
        """Whether the difference is more than twice its standard error, with at least 10 words."""
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
        """The share of mentions that no person named, as CHAIR-i of Rohrbach et al. 2018."""
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
    """Count things that captions name and no person named.

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


SIZE = (320, 240)
_TEXT = (
    "Dear reader,",
    "this page has words on it",
    "and no picture at all.",
    "What does the model write about it?",
    "Only what is written here.",
)


def _even(shade: int) -> Callable[[], Image.Image]:
    return lambda: Image.new("RGB", SIZE, (shade,) * 3)


def _noise() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return Image.fromarray(pixels)


def _text_page() -> Image.Image:
    page = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for line, text in enumerate(_TEXT):
        pen.text((22, 24 + 40 * line), text, fill="black", font=font)
    return page


def _bar_chart() -> Image.Image:
    chart = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(chart)
    pen.line([(40, 20), (40, 210), (305, 210)], fill="black", width=3)
    colors = ("#3366aa", "#cc6633", "#559944", "#884488", "#aaaa33")
    for place, (height, color) in enumerate(zip((60, 130, 95, 165, 40), colors, strict=True)):
        left = 58 + 50 * place
        pen.rectangle([left, 209 - height, left + 32, 208], fill=color)
    return chart


def _drawing() -> Image.Image:
    """A house, a sun and a stick figure, as a child draws them."""
    paper = Image.new("RGB", SIZE, "#fffdf5")
    pen = ImageDraw.Draw(paper)
    pen.rectangle([40, 110, 150, 210], outline="#333333", width=4)
    pen.line([(30, 112), (95, 50), (160, 112)], fill="#aa3333", width=5)
    pen.rectangle([80, 150, 112, 210], outline="#333333", width=4)
    pen.ellipse([250, 18, 300, 68], fill="#f2c230")
    pen.ellipse([213, 92, 247, 126], outline="#333333", width=4)
    for line in ([(230, 126), (230, 176)], [(230, 140), (205, 160)], [(230, 140), (255, 160)]):
        pen.line(line, fill="#333333", width=4)
    for line in ([(230, 176), (212, 212)], [(230, 176), (248, 212)], [(10, 213), (310, 213)]):
        pen.line(line, fill="#333333", width=4)
    return paper


ODD_PICTURES: dict[str, Callable[[], Image.Image]] = {
    "even grey": _even(127),
    "black": _even(0),
    "white": _even(255),
    "noise": _noise,
    "a page of text": _text_page,
    "a bar chart": _bar_chart,
    "a child's drawing": _drawing,
}
"""What they are called, and how they are made; the same pixels every time."""


def odd_picture(name: str) -> Image.Image:
    """Make one of `ODD_PICTURES`, RGB, 320 x 240.

    Raises:
        KeyError: there is none of that name.
    """
    return ODD_PICTURES[name]()


def _cropped(photo: Image.Image) -> Image.Image:
    """Cut 15% from each side."""
    width, height = photo.size
    left, top = round(0.15 * width), round(0.15 * height)
    return photo.crop((left, top, max(width - left, left + 1), max(height - top, top + 1)))


CHANGES: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "mirrored": ("Left and right change places.", ImageOps.mirror),
    "darker": (
        "Each pixel has 35% of its light.",
        lambda p: ImageEnhance.Brightness(p).enhance(0.35),
    ),
    "closer": ("15% is cut from each side.", _cropped),
    "without colour": (
        "Only light and dark are left.",
        lambda p: ImageOps.grayscale(p).convert("RGB"),
    ),
    "blurred": (
        "Each pixel is mixed with those around it.",
        lambda p: p.filter(ImageFilter.GaussianBlur(max(p.size) / 60)),
    ),
    "upside down": ("Turned by half.", ImageOps.flip),
}
"""What a change is called, what it does in one sentence, and how it is done to an RGB photo."""


def change_photo(photo: Image.Image, name: str) -> Image.Image:
    """Return a changed copy of an RGB photo.

    Raises:
        KeyError: there is no change of that name.
    """
    return CHANGES[name][1](photo)


@dataclass(frozen=True, slots=True)
class WordChange:
    """A word of either caption, and whether both have it."""

    word: str
    fate: Literal["kept", "gone", "new"]


def word_changes(before: Sequence[str], after: Sequence[str]) -> list[WordChange]:
    """Compare two sentences word by word.

    >>> [(c.word, c.fate) for c in word_changes("a red kite".split(), "a blue kite".split())]
    [('a', 'kept'), ('red', 'gone'), ('blue', 'new'), ('kite', 'kept')]
    """
    changes: list[WordChange] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            changes += [WordChange(word, "kept") for word in before[start:end]]
            continue
        changes += [WordChange(word, "gone") for word in before[start:end]]
        changes += [WordChange(word, "new") for word in after[other_start:other_end]]
    return changes
