"""Maps over a photo: where attention went, and how to lay any map on the photo."""

import numpy as np
from PIL import Image

from captioning.decoding import Reading
from captioning.errors import QueryError

__all__ = ["attention_maps", "on_photo", "spotlight"]

_DARKEST = 0.25
"""Share of light left where a map is lowest."""


def attention_maps(reading: Reading, grid: tuple[int, int] | None) -> np.ndarray:
    """Lay attention weights out as maps.

    Args:
        reading: of a sentence with one photo; the first of a batch is taken.
        grid: height and width of the encoder's regions.

    Returns:
        float32 `(T, height, width)`, one map for each word and one for the end; each sums to 1.

    Raises:
        QueryError: the model has no attention.
    """
    if reading.attention is None or grid is None:
        raise QueryError(
            "This model has no attention: it sees the photo as a whole. "
            "Which parts a word hangs on can be found by covering them (occlusion)."
        )
    maps: np.ndarray = reading.attention[0].reshape(-1, *grid)
    return maps


def on_photo(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch one map to a photo and bring it to 0..1; the encoder squashes photos, not crops.

    Args:
        values: `(height, width)` of a few regions; below 0 counts as 0.
        size: width and height of the photo in pixels, as Pillow gives it.

    Returns:
        float32 `(height, width)` of the photo; 0 where the map is lowest and 1 where it is
        highest, all 0 for a map without differences.
    """
    values = np.maximum(np.asarray(values, np.float32), 0.0)
    spread = float(values.max() - values.min())
    # Dividing rounding errors by each other would draw a map of nothing.
    even = spread <= 1e-6 * max(float(values.max()), 1e-6)
    scaled = np.zeros_like(values) if even else (values - values.min()) / spread
    stretched = Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(stretched, np.float32), 0.0, 1.0)


def spotlight(photo: Image.Image, values: np.ndarray) -> Image.Image:
    """Darken an RGB photo where a map is low; where it is even, the photo stays as it is.

    Light needs no legend and no colours that some people cannot tell apart.

    Args:
        photo: of mode RGB.
        values: a map of a few regions, `(height, width)`.
    """
    light = on_photo(values, photo.size)
    if not light.any():
        return photo.copy()
    shade = _DARKEST + (1.0 - _DARKEST) * light
    return Image.fromarray((np.asarray(photo) * shade[:, :, None]).round().astype(np.uint8))
