"""Views of a photo: hard crops in changed light, the same for the teacher and the student."""

import math

import numpy as np
from PIL import Image, ImageEnhance

__all__ = ["draw_view"]

NARROWEST = 3 / 4
"""Sides of a crop, the shorter to the longer, after Szegedy et al. 2015 (arXiv:1409.4842)."""

LIGHT = 0.4
"""How far brightness, contrast and colour move from 1, either way."""

ATTEMPTS = 10


def draw_view(
    photo: Image.Image, random: np.random.Generator, *, smallest: float = 0.25
) -> Image.Image:
    """Crop a photo at random, perhaps turn it about its middle, and change its light.

    Args:
        photo: RGB.
        random: decides everything; the same state gives the same view.
        smallest: share of the photo's area that a crop keeps at least.

    Returns:
        The crop at its own size, RGB; whoever looks at it resizes it.
    """
    view = photo.crop(_box(photo.size, random, smallest))
    if random.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = change(view).enhance(random.uniform(1 - LIGHT, 1 + LIGHT))
    return view


def _box(
    size: tuple[int, int], random: np.random.Generator, smallest: float
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a crop; the whole photo if no draw fits into it."""
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
