"""Photo files, and small copies of them for the screen.

Streamlit shows a file's pixels without applying the EXIF orientation, and sends whole
12-megapixel files to the browser.  These copies are upright and small, and never stretched.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from captioning.images import read_image

PREVIEW_SIDE = 1000
THUMBNAIL_SIZE = (320, 240)
_TALLEST = 520
_KEPT = 0.8


@dataclass(frozen=True)
class Picture:
    """A photo file, not decoded yet."""

    name: str
    data: bytes


def preview(photo: Image.Image) -> tuple[bytes, int]:
    """Make a copy of an RGB photo of at most 1000 pixels a side.

    Returns:
        The copy as JPEG, and the width in pixels at which to show it.
    """
    small = photo.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return as_jpeg(small), display_width(*photo.size)


def thumbnail(data: bytes, name: str) -> bytes:
    """Make a small JPEG copy, cropped to 4:3 if that removes little of the photo.

    Raises:
        ImageError: `data` is not a readable photo; the text calls it `name`.
    """
    photo = read_image(data, name=name)
    proportion = photo.width / photo.height / (THUMBNAIL_SIZE[0] / THUMBNAIL_SIZE[1])
    if min(proportion, 1 / proportion) >= _KEPT:
        return as_jpeg(ImageOps.fit(photo, THUMBNAIL_SIZE, Image.Resampling.LANCZOS))
    photo.thumbnail((THUMBNAIL_SIZE[0], THUMBNAIL_SIZE[0]))
    return as_jpeg(photo)


def display_width(width: int, height: int) -> int:
    """Return how wide to show a photo at most, in pixels, so that it fits the height of a screen.

    >>> display_width(4000, 3000), display_width(300, 400)
    (693, 390)
    """
    return max(1, round(_TALLEST * width / height))


def as_jpeg(photo: Image.Image) -> bytes:
    """Return an RGB photo as the bytes of a JPEG."""
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
