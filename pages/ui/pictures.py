"""Photo files: small copies of them for the screen, and the samples that come with the app.

Streamlit shows a file's pixels without applying the EXIF orientation, and sends whole
12-megapixel files to the browser.  These copies are upright and small, and never stretched.
assets/photos/README.md says who took the samples.
"""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image, ImageOps

from captioning.bundle import Bundle
from captioning.datasets.shapes.drawing import paint
from captioning.datasets.shapes.scene import draw_lots, sentences
from captioning.images import read_image

PREVIEW_SIDE = 1000
THUMBNAIL_SIZE = (320, 240)
_TALLEST = 520
_KEPT = 0.8

_ASSETS = Path(__file__).resolve().parents[2] / "assets" / "photos"
_SHAPES = {"shapes 1": 11, "shapes 2": 12, "shapes 3": 13}
_PHOTOS = {
    "dogs": (
        "Two black and white dogs run over the grass.",
        "Two dogs play on a green lawn.",
        "Two dogs are running in the grass near a fence.",
        "A tall dog and a small dog run across a field.",
        "Two dogs chase each other in the sun.",
    ),
    "cat": (
        "A grey cat is lying on a brown couch.",
        "A cat with yellow eyes rests on a leather sofa.",
        "A grey cat lies on a couch and looks at the camera.",
        "A cat is relaxing on a sofa.",
        "A fat grey cat on an orange couch.",
    ),
    "hotdog": (
        "A hot dog with ketchup in a paper wrapper.",
        "A hot dog in a bun lies on brown paper.",
        "A close up of a hot dog with red sauce.",
        "A sausage in a bread roll with ketchup.",
        "Someone serves a hot dog in a paper tray.",
    ),
    "taxis": (
        "Yellow taxis drive down a street between tall buildings.",
        "A city street with many yellow cabs.",
        "Several taxis are on a road in a big city.",
        "Yellow cars wait in the traffic of a city.",
        "A row of taxis on a wide street with skyscrapers.",
    ),
    "camera": (
        "A man in a black coat looks through a camera on a tripod.",
        "A photographer with a camera stands on a field.",
        "A man is filming something on a wide lawn.",
        "A man bends over his camera in front of a city.",
        "A man with dark hair takes a picture outside.",
    ),
    "coffee": (
        "A cup of coffee with a leaf drawn in the milk foam.",
        "A black cup and saucer on a dark table.",
        "A cappuccino with a pattern of milk on top.",
        "Coffee in a black cup stands on a tray.",
        "A close up of a cup of coffee.",
    ),
}
PHOTO_SAMPLES = tuple(_PHOTOS)
"""Names of the photographs that come with the app."""
SAMPLES = (*_SHAPES, *PHOTO_SAMPLES)
"""Those and the drawn ones; the names have no file extension, unlike photos of a data set."""
_SMALL_VOCABULARY = 200


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


def as_url(jpeg: bytes) -> str:
    """Return the bytes of a JPEG as an address that holds them."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


@cache
def sample(name: str) -> Picture:
    """Return a photo that comes with the app."""
    if name in _SHAPES:
        return Picture(name, paint(draw_lots(Random(_SHAPES[name]))))  # noqa: S311 (a picture)
    return Picture(name, sample_file(name).read_bytes())


def sample_file(name: str) -> Path:
    """Return the file of a photograph that comes with the app."""
    return _ASSETS / f"{name}.jpg"


def learned_shapes(bundle: Bundle) -> bool:
    """Whether a model learned from drawn shapes and knows nothing about photos."""
    knows = bundle.vocabulary
    return len(knows) < _SMALL_VOCABULARY and "triangle" in knows


def best_sample(bundle: Bundle) -> str:
    """Return the name of the photo that suits a model: drawn shapes only if it learned those."""
    return next(iter(_SHAPES if learned_shapes(bundle) else _PHOTOS))


def true_sentences(name: str) -> tuple[str, ...]:
    """Return five sentences that are true of a photo that comes with the app."""
    if name in _SHAPES:
        return sentences(draw_lots(Random(_SHAPES[name])))[:5]  # noqa: S311 (a picture)
    return _PHOTOS.get(name, ())
