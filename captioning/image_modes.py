"""Convert images of any Pillow mode and EXIF orientation to upright RGB."""

import numpy as np
from PIL import Image

from captioning.image_formats import MAX_NUMBERS, most_numbers

_WITH_ORIENTATION = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITES = (1, 255, 1023, 4095, 16383, 65535)


def exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) if EXIF is missing or damaged."""
    try:
        block = image.info.get("exif")
        if isinstance(block, bytes) and not is_moderate_exif(block):
            return 1
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF does not make the image unreadable
        return 1


def is_moderate_exif(block: bytes | None) -> bool:
    """Return whether Pillow reads a block of EXIF in a moderate time."""
    return most_numbers((block or b"").removeprefix(b"Exif\0\0")) <= MAX_NUMBERS


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Apply an EXIF orientation; the copy no longer has one in its metadata."""
    turn = _UPRIGHT.get(orientation)
    if turn is None:
        return image
    turned = image.transpose(turn)
    for block in _WITH_ORIENTATION:  # otherwise readers of the copy would rotate it again
        turned.info.pop(block, None)
    return turned


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode of Pillow to RGB, with transparent areas in white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _scale_to_bytes(np.asarray(image)).convert("RGB")
    if image.has_transparency_data:
        layered = image if image.mode == "RGBA" else image.convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(layered, mask=layered)
        return canvas
    # convert() copies even from RGB to RGB, which frees the result from the opened file.
    return image.convert("RGB")


def _scale_to_bytes(values: np.ndarray) -> Image.Image:
    """Scale grey values of unknown range to 0..255.

    Cameras and scanners use 8, 10, 12, 14 or 16 bits, programs use 0 to 1: the range is the one
    whose upper half contains the brightest value.  Other values are stretched from the darkest to
    the brightest.
    """
    tops = range(0, len(values), 256)  # a few rows at a time, to save memory
    blocks = [values[top : top + 256] for top in tops]
    low = float(min(_finite(block).min() for block in blocks))
    high = float(max(_finite(block).max() for block in blocks))
    white = next((w for w in _WHITES if w / 2 < high <= w), None) if low >= 0 else None
    start, width = (low, (high - low) or 1.0) if white is None else (0.0, white)
    scaled = np.empty(values.shape, np.uint8)
    for top, block in zip(tops, blocks, strict=True):
        rows = _finite(block).astype(np.float64)
        scaled[top : top + 256] = ((rows - start) * (255.0 / width)).round()
    return Image.fromarray(scaled)


def _finite(values: np.ndarray) -> np.ndarray:
    finite: np.ndarray = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    return finite
