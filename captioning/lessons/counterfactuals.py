"""The same photo, changed as a person would hardly notice or mind: does the caption change?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

__all__ = ["CHANGES", "WordChange", "change_photo", "word_changes"]


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
    """Say word by word how one sentence becomes another.

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
