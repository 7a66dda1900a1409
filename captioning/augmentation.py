"""The ways a training photo is shown: whole or as a crop, as it is or as in a mirror.

Six thousand photos are soon known by heart; each further view of them is one more photo of which
nearly the same captions are true.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from captioning.images import to_square
from captioning.text import tokenize

__all__ = ["WHOLE", "View", "can_flip", "crop_box", "views"]

SIDES = {"left", "right", "lefthand", "righthand"}
"""A caption with one of these is not true of the photo in a mirror."""

SMALLEST_CROP = 0.5
"""Share of a photo that a crop keeps at least: of what is captioned, most must still be in it."""

NARROWEST = 3 / 4
"""Sides of a crop, the shorter to the longer, after Szegedy et al. 2015 (arXiv:1409.4842)."""

ATTEMPTS = 10


@dataclass(frozen=True)
class View:
    """One way to show any photo.

    Attributes:
        crop: 0 shows all of it; every other number shows one crop, another for each photo.
        flipped: as in a mirror.
    """

    crop: int = 0
    flipped: bool = False

    @property
    def whole(self) -> bool:
        """Tell whether it shows a photo as it is."""
        return not self.crop and not self.flipped

    @property
    def suffix(self) -> str:
        """What a folder is called that holds this view of photos; empty for whole photos."""
        return f"-crop{self.crop}" * (self.crop > 0) + "-flipped" * self.flipped

    def of(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """Show a photo.

        Args:
            pixels: uint8 `(S, S, 3)`.
            name: the photo's, which with the number of the crop fixes its box.

        Returns:
            uint8 `(S, S, 3)`.
        """
        if self.crop:
            random = np.random.default_rng((zlib.crc32(name.encode()), self.crop, self.flipped))
            photo, size = Image.fromarray(pixels), len(pixels)
            pixels = to_square(photo.crop(crop_box(photo.size, random, SMALLEST_CROP)), size)
        return pixels[:, ::-1] if self.flipped else pixels


WHOLE = View()
"""Photos as they are."""


def views(*, crops: int, flips: bool) -> list[View]:
    """Return every way a training photo is shown, whole first, the mirrored ones last."""
    sides = (False, True) if flips else (False,)
    return [View(crop, flipped) for flipped in sides for crop in range(crops + 1)]


def can_flip(captions: Sequence[Sequence[str]]) -> np.ndarray:
    """Tell of which photos all captions stay true in a mirror, bool `(photos,)`.

    >>> can_flip([["A dog runs .", "A dog on the left ."], ["A cat ."]]).tolist()
    [False, True]
    """
    sided = [any(SIDES & set(tokenize(c)) for c in of_photo) for of_photo in captions]
    return ~np.array(sided, bool)


def crop_box(
    size: tuple[int, int], random: np.random.Generator, smallest: float
) -> tuple[int, int, int, int]:
    """Draw a crop: its left, top, right and bottom; the whole photo if no draw fits into it.

    Args:
        size: width and height of the photo, in pixels.
        random: decides.
        smallest: share of the photo's area that it keeps at least.
    """
    width, height = size
    for _ in range(ATTEMPTS):
        area = width * height * random.uniform(smallest, 1.0)
        ratio = math.exp(random.uniform(math.log(NARROWEST), -math.log(NARROWEST)))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left = int(random.integers(0, width - wide + 1))
            top = int(random.integers(0, height - high + 1))
            return left, top, left + wide, top + high
    return 0, 0, width, height
