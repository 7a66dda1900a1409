"""Photos in any form, converted to the RGB picture that a model reads."""

import os
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from captioning.errors import ImageError
from captioning.images import as_rgb, read_image

PhotoInput = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | np.ndarray
"""A path, a file's bytes, a binary file, a PIL image of any mode, or an array."""

_TOLERANCE = 1e-3


def to_picture(photo: PhotoInput) -> Image.Image:
    """Return a photo as an upright RGB picture; transparent parts become white.

    Args:
        photo: a path, bytes, a binary file or a PIL image of any mode; or an array `(H, W)`,
            `(H, W, 3)` or `(H, W, 4)`, uint8 from 0 to 255 or float from 0 to 1.

    Raises:
        ImageError: it is something else, or cannot be read.
    """
    if isinstance(photo, Image.Image):
        return as_rgb(photo)
    if isinstance(photo, np.ndarray):
        return as_rgb(Image.fromarray(_to_bytes(photo)))
    if isinstance(photo, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(
        photo, "read"
    ):
        return read_image(photo)  # type: ignore[arg-type]
    raise ImageError(
        "A photo is a path, bytes, a binary file, a PIL image or a NumPy array; got "
        f"{_described(photo)}."
    )


def _to_bytes(array: np.ndarray) -> np.ndarray:
    """Check an array's shape and numbers, and return it as uint8."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = " Move the channels to the end: array.transpose(1, 2, 0)."
        elif array.ndim == 4:
            hint = " Give one photo at a time, or a list of photos to caption_many."
        raise ImageError(
            "An array of a photo has the shape (H, W), (H, W, 3) or (H, W, 4); got "
            f"{array.shape}.{hint}"
        )
    if not array.size:
        raise ImageError(f"The array of a photo has no pixels: its shape is {array.shape}.")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(
            f"An array of a photo is uint8 from 0 to 255 or float from 0 to 1; got {array.dtype}. "
            "Convert it: array.astype('uint8')."
        )
    low, high = float(array.min()), float(array.max())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # also refuses nan
        raise ImageError(
            f"An array of floats goes from 0 to 1; got {low:g} to {high:g}. Divide by 255, or "
            "convert it to uint8."
        )
    scaled: np.ndarray = (np.clip(array, 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return scaled


def _described(photo: Any) -> str:
    kind = type(photo)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return "None" if photo is None else f"a {name}"
