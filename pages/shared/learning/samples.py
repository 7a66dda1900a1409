"""Photos that come with the app, so that a lesson has one with nothing downloaded."""

from functools import cache
from pathlib import Path
from random import Random

from captioning.bundles import Bundle
from captioning.datasets.shapes.drawing import paint
from captioning.datasets.shapes.scene import draw_lots
from captioning.datasets.shapes.wording import sentences
from pages.shared.photos import Picture

__all__ = ["SAMPLES", "best_sample", "sample", "true_sentences"]

_ASSETS = Path(__file__).resolve().parents[3] / "assets" / "photos"
_SHAPES = {"shapes 1": 11, "shapes 2": 12, "shapes 3": 13}
_PHOTOS = {"camera": "camera.jpg"}
SAMPLES = (*_SHAPES, *_PHOTOS)
"""Names of the photos that come with the app; none has an ending, as a data set's photos have."""

_OF_CAMERA = (
    "A man in a black coat looks through a camera on a tripod.",
    "A photographer with a camera stands on a field.",
    "A man is filming something on a wide lawn.",
    "A man bends over his camera in front of a city.",
    "A man with dark hair takes a picture outside.",
)
_SMALL_VOCABULARY = 200


@cache
def sample(name: str) -> Picture:
    """Return a photo that comes with the app."""
    if name in _SHAPES:
        return Picture(name, paint(draw_lots(Random(_SHAPES[name]))))  # noqa: S311 (a picture)
    return Picture(name, (_ASSETS / _PHOTOS[name]).read_bytes())


def best_sample(bundle: Bundle) -> str:
    """Return the name of the photo that suits a model: drawn shapes only if it learned those."""
    knows = bundle.vocabulary
    of_shapes = len(knows) < _SMALL_VOCABULARY and "triangle" in knows
    return next(iter(_SHAPES if of_shapes else _PHOTOS))


def true_sentences(name: str) -> tuple[str, ...]:
    """Return five sentences that are true of a photo that comes with the app."""
    if name in _SHAPES:
        return sentences(draw_lots(Random(_SHAPES[name])))[:5]  # noqa: S311 (a picture)
    return _OF_CAMERA if name in _PHOTOS else ()
