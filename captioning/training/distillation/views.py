"""Views of a photo: hard crops in changed light, the same for the teacher and the student."""

import numpy as np
from PIL import Image, ImageEnhance

from captioning.augmentation import crop_box

__all__ = ["draw_view"]

LIGHT = 0.4
"""How far brightness, contrast and colour move from 1, either way."""


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
    view = photo.crop(crop_box(photo.size, random, smallest))
    if random.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = change(view).enhance(random.uniform(1 - LIGHT, 1 + LIGHT))
    return view
