"""Views of a photo: small crops with colour jitter, shared by teacher and student."""

import numpy as np
from PIL import Image, ImageEnhance

from captioning.augmentation import crop_box

LIGHT = 0.4
"""Maximum change of brightness, contrast and colour from 1."""


def draw_view(
    photo: Image.Image, random: np.random.Generator, *, smallest: float = 0.25
) -> Image.Image:
    """Crop a photo at random, flip it at random, and change its colours.

    Args:
        photo: RGB.
        random: the random generator; the same state gives the same view.
        smallest: minimum share of the photo's area in a crop.

    Returns:
        The crop, RGB, in its original size.
    """
    view = photo.crop(crop_box(photo.size, random, smallest))
    if random.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = change(view).enhance(random.uniform(1 - LIGHT, 1 + LIGHT))
    return view
