"""Augmentation of training photos: crops and horizontal flips.

A model soon memorises six thousand photos.  Each augmented view acts as another photo with nearly
the same captions.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from captioning.images import to_square
from captioning.text import tokenize

SIDES = {"left", "right", "lefthand", "righthand"}
"""Words that make a caption wrong for the flipped photo."""

SMALLEST_CROP = 0.5
"""Smallest share of a photo's area in a crop, so that most captioned objects stay visible."""

NARROWEST = 3 / 4
"""Aspect ratios of a crop, after Szegedy et al. 2015 (arXiv:1409.4842)."""

ATTEMPTS = 10


@dataclass(frozen=True)
class View:
    """One augmentation, applicable to any photo.

    Attributes:
        crop: 0 keeps the whole photo; any other number selects a crop that depends on the photo.
        flipped: whether the photo is flipped horizontally.
    """

    crop: int = 0
    flipped: bool = False

    @property
    def whole(self) -> bool:
        """Return whether the view leaves photos unchanged."""
        return not self.crop and not self.flipped

    @property
    def suffix(self) -> str:
        """Suffix for folders that hold this view of the photos; empty for unchanged photos."""
        return f"-crop{self.crop}" * (self.crop > 0) + "-flipped" * self.flipped

    def of(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """Apply the augmentation to a photo.

        Args:
            pixels: uint8 `(S, S, 3)`.
            name: of the photo; with the crop number it determines the crop box.

        Returns:
            uint8 `(S, S, 3)`.
        """
        if self.crop:
            random = np.random.default_rng((zlib.crc32(name.encode()), self.crop, self.flipped))
            photo, size = Image.fromarray(pixels), len(pixels)
            pixels = to_square(photo.crop(crop_box(photo.size, random, SMALLEST_CROP)), size)
        return pixels[:, ::-1] if self.flipped else pixels


WHOLE = View()
"""The identity view: photos unchanged."""


def views(*, crops: int, flips: bool) -> list[View]:
    """Return all views of a training photo, the whole photo first and flipped views last."""
    sides = (False, True) if flips else (False,)
    return [View(crop, flipped) for flipped in sides for crop in range(crops + 1)]


def can_flip(captions: Sequence[Sequence[str]]) -> np.ndarray:
    """Return for which photos all captions stay true after a flip, bool `(photos,)`.

    >>> can_flip([["A dog runs .", "A dog on the left ."], ["A cat ."]]).tolist()
    [False, True]
    """
    sided = [any(SIDES & set(tokenize(c)) for c in of_photo) for of_photo in captions]
    return ~np.array(sided, bool)


def crop_box(
    size: tuple[int, int], random: np.random.Generator, smallest: float
) -> tuple[int, int, int, int]:
    """Draw a random crop as (left, top, right, bottom); the whole photo if no draw fits.

    Args:
        size: width and height of the photo, in pixels.
        random: the random generator.
        smallest: minimum share of the photo's area.
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
