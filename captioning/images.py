"""Safe reading of photos: any file a person brings gives an upright RGB picture or a sentence.

A photo is untrusted.  Its bytes are counted before they are read, its sides and pixels before they
are decoded, and only the formats in `FORMATS` are ever handed to a decoder.  Nothing here touches
Pillow's global switches while photos are read, so any number of threads may read at once; large
photos are decoded one after the other, so that many do not fill the memory.
"""

import contextlib
import errno
import io
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from captioning.errors import ImageError
from captioning.image_bytes import too_long_to_decode, without_metadata
from captioning.image_formats import FORMATS, PNG_SIGNATURE, formats_of, is_heif, other_kind
from captioning.regular_files import read_regular_file

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "as_rgb",
    "as_small_copy",
    "read_image",
    "read_photo_file",
    "to_square",
]

MAX_BYTES = 50_000_000
#: The JPEG quality whose quantisation tables the small copies of Flickr8k have.
COPY_QUALITY = 94
MAX_PIXELS = 80_000_000
#: A decoder keeps something for each row, so a thin picture takes more memory than its pixels say.
MAX_SIDE = 30_000

# A JPEG whose file ends early still counts as a photo when this share of its rows arrived.
_ENOUGH_ROWS = 0.9

_TILE_TAGS = (322, 323)
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

# Pillow warns of bombs from 89 megapixels on, which are refused here with a sentence, and of odd
# metadata, which no caption depends on.  Set once, at import: all threads share the filters.
for _category in (Image.DecompressionBombWarning, UserWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")


def read_image(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """Read one photo as it should be looked at.

    EXIF orientation is applied, transparency is laid on white, an animation gives its first
    frame, and 16-bit, 32-bit and floating-point greys are scaled to 0..255 by their own range.
    A JPEG that ends early is cut to the rows that arrived if these are at least nine tenths of
    its height; with fewer, and in every other format, a file that ends early is refused.  A JPEG
    or PNG of which only the metadata are damaged is read without them, as its pixels lie.

    Args:
        source: A path, the file's bytes, or a binary stream, which is read from its start (and
            left open).
        name: What to call the photo in an error; by default the path's or stream's own name.
        max_bytes: The largest file accepted; a longer one is refused before it is read.
        max_pixels: The largest width x height accepted; more is refused before it is decoded, as
            is a side of more than `MAX_SIDE`.  Pillow's own limit, 178 million, holds besides.

    Returns:
        A picture of mode RGB that holds no file open.

    Raises:
        ImageError: The photo is missing, empty, too large, of another format, or damaged.
    """
    label = _label(source, name)
    data = _read_bytes(source, label, max_bytes)
    if not data:
        raise ImageError(f"{label} is empty: the file has 0 bytes. Copy or download it again.")
    try:
        try:
            return _decode(data, label, max_pixels)
        except (ImageError, MemoryError):
            raise
        except Exception:  # it may be the metadata alone that are damaged
            bare = without_metadata(data)
            if bare == data:
                raise
            return _decode(bare, label, max_pixels)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_not_a_photo(data, label)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_too_many_pixels(label, max_pixels)) from error
    except MemoryError as error:
        raise ImageError(f"{label} does not fit into memory. Use a smaller copy of it.") from error
    except Exception as error:  # a hostile file can make a decoder raise nearly anything
        raise ImageError(
            f"{label} is damaged or cut short: it begins like a picture but cannot be decoded to "
            "its end. Copy or download it again."
        ) from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Turn a picture in memory upright and into RGB, laying transparency on white.

    Raises:
        ImageError: it has too many pixels, or the file behind it is damaged.
    """
    label = _label(image, getattr(image, "filename", None) or None)
    _check_pixels(image.size, label, MAX_PIXELS)
    try:
        orientation = _orientation(image)
        if image.mode == "RGB" and orientation == 1 and not image.has_transparency_data:
            image.load()
            return image
        return _to_rgb(_upright(image, orientation))
    except Exception as error:  # a lazily opened file is decoded only here
        raise ImageError(f"{label} cannot be decoded ({error}). Copy it again.") from error


def to_square(image: Image.Image, size: int) -> np.ndarray:
    """Squash a picture into a square, as encoders want it: nothing is cropped or padded.

    Args:
        image: Any picture; one that is not RGB is converted.
        size: Width and height wanted, in pixels.

    Returns:
        A writable uint8 array of shape (size, size, 3), values 0..255.  A picture that has this
        size already keeps its pixels untouched; others are resampled bicubically.
    """
    if image.mode != "RGB":
        image = _to_rgb(image)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def as_small_copy(image: Image.Image, size: int) -> Image.Image:
    """Do to a photo what was done to the small copies that models learned from.

    Flickr8k's copies of 224 x 224 pixels are squashed bicubically and saved as JPEG with colours at
    half the resolution, and networks notice: see docs/adr/0019.

    Args:
        image: RGB; one that has this size already is taken for such a copy and returned as it is.
        size: width and height of the copies, in pixels.
    """
    if image.size == (size, size):
        return image
    copy = io.BytesIO()
    small = image.resize((size, size), Image.Resampling.BICUBIC)
    small.save(copy, "JPEG", quality=COPY_QUALITY, subsampling=2)
    return Image.open(copy).convert("RGB")


def read_photo_file(path: str | os.PathLike[str]) -> bytes:
    """Return a photo file's bytes.

    Raises:
        ImageError: it is missing, too large, or no ordinary file: a folder, a pipe, a device.
    """
    return _read_file(path, _label(path, None), MAX_BYTES)


def _read_file(path: str | os.PathLike[str], label: str, max_bytes: int) -> bytes:
    try:
        return read_regular_file(path, max_bytes)
    except FileNotFoundError as error:
        raise ImageError(f"{label} does not exist: there is no file '{path}'.") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        code = error.errno if isinstance(error, OSError) else None
        if code == errno.EFBIG:
            raise ImageError(_too_many_bytes(label, max_bytes)) from error
        if code is not None and os.path.isdir(path):
            raise ImageError(f"{label} is a folder. Name a photo inside it.") from error
        raise ImageError(f"{label} cannot be opened ({error}).") from error


class _PixelBudget:
    """Lets callers in, in the order in which they come, as long as their pixels fit together."""

    def __init__(self, pixels: int) -> None:
        self._all = self._free = pixels
        self._line = threading.Lock()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Hold `pixels` of the budget as long as the block lasts; more than it has count as all."""
        pixels = min(pixels, self._all)
        with self._line, self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_DECODING = _PixelBudget(MAX_PIXELS)


def _decode(data: bytes, label: str, max_pixels: int) -> Image.Image:
    if reason := too_long_to_decode(data):
        raise ImageError(
            f"{label} is not read: {reason}, which takes too long. "
            "Save it anew with another program."
        )
    with Image.open(io.BytesIO(data), formats=formats_of(data)) as opened:
        _check_pixels(opened.size, label, max_pixels)
        _check_pixels(_tile(opened) or opened.size, label, max_pixels)
        # The header of an AVIF or HEIC file may name a smaller size than its decoder takes.
        pixels = MAX_PIXELS if is_heif(data) else opened.width * opened.height
        with _DECODING.take(pixels):
            picture = _to_rgb(_load(opened, label))
            # PNG may keep its EXIF behind the pixels, so it is asked for after loading.
            orientation = _orientation(opened)
            opened.close()  # frees its pixels before those of the turned picture are made
            return _upright(picture, orientation)


def _label(source: object, name: str | None) -> str:
    """Name the photo the way the sentences of an error begin."""
    if name is None:
        own = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
        if isinstance(own, (str, os.PathLike)):
            name = PurePath(os.fsdecode(own)).name or os.fsdecode(own)
    # Undecodable bytes in a file's name would make the sentence itself unprintable.
    return f"The photo '{name.encode(errors='replace').decode()}'" if name else "The photo"


def _read_bytes(
    source: str | os.PathLike[str] | bytes | BinaryIO, label: str, max_bytes: int
) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _within(bytes(source), label, max_bytes)
    if not isinstance(source, (str, os.PathLike)):
        return _read_stream(source, label, max_bytes)
    return _read_file(source, label, max_bytes)


def _read_stream(stream: BinaryIO, label: str, max_bytes: int) -> bytes:
    try:
        if stream.seekable():
            stream.seek(0)
        return _within(stream.read(max_bytes + 1), label, max_bytes)
    except (OSError, ValueError) as error:  # ValueError: the stream is closed
        raise ImageError(f"{label} cannot be read ({error}).") from error


def _within(data: bytes, label: str, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise ImageError(_too_many_bytes(label, max_bytes))
    return data


def _too_many_bytes(label: str, max_bytes: int) -> str:
    return (
        f"{label} is too large: its file is longer than the {max_bytes / 1e6:,.3g} MB accepted. "
        "Use a smaller copy of it."
    )


def _check_pixels(size: tuple[int, int], label: str, max_pixels: int) -> None:
    width, height = size
    if max(size) > MAX_SIDE:
        raise ImageError(
            f"{label} is too large: it has {width:,} x {height:,} pixels, and no side may have "
            f"more than {MAX_SIDE:,}. Use a smaller copy of it."
        )
    if width * height > max_pixels:
        raise ImageError(_too_many_pixels(label, max_pixels, f"{width:,} x {height:,} pixels, "))
    if width * height == 0:
        raise ImageError(f"{label} has no pixels ({width} x {height}).")


def _tile(opened: ImageFile.ImageFile) -> tuple[int, int] | None:
    """Return the size of a TIFF's tiles, each of which is decoded whole, whatever the picture's."""
    sizes = [getattr(opened, "tag_v2", {}).get(tag) for tag in _TILE_TAGS]
    width, height = (size if type(size) is int and size > 0 else 0 for size in sizes)
    return (width, height) if width and height else None


def _too_many_pixels(label: str, max_pixels: int, found: str = "") -> str:
    return (
        f"{label} is too large: it has {found}more than the {max_pixels / 1e6:,.3g} million pixels "
        "accepted. Use a smaller copy of it."
    )


def _not_a_photo(data: bytes, label: str) -> str:
    """Say what a file that no allowed decoder recognised seems to be."""
    if kind := other_kind(data):
        return f"{label} is a {kind} file, which cannot be read here. Save or export it as JPEG."
    is_png = data.startswith(PNG_SIGNATURE)
    if not is_png and not is_heif(data) and data[:3] != b"\xff\xd8\xff":
        return (
            f"{label} is not a picture that can be read here: its content is none of "
            f"{', '.join(FORMATS)}, whatever its name ends in."
        )
    has_end = b"IEND" in data[-16:] if is_png else b"\xff\xd9" in data[-64:]
    what = (
        "damaged: what says how to decode it has been changed"
        if has_end
        else "damaged or cut short: only the beginning of a picture is in the file"
    )
    return f"{label} is {what}. Copy or download it again."


def _load(opened: ImageFile.ImageFile, label: str) -> Image.Image:
    """Decode the pixels; of a JPEG that ends early, keep the rows that arrived."""
    try:
        opened.load()
    except OSError as error:
        if opened.format not in ("JPEG", "MPO") or "truncated" not in str(error):
            raise
        return _rows_that_arrived(opened, label)
    return opened


def _rows_that_arrived(opened: ImageFile.ImageFile, label: str) -> Image.Image:
    """Crop a half-decoded JPEG to its decoded rows.

    Pillow has a switch to accept such files, but it is global and fills the rest with grey.  The
    decoder leaves the rows it never reached at zero, which is how they are told here; a
    progressive JPEG gets no row before its end, so it is refused.
    """
    if "progressive" in opened.info:
        raise ImageError(
            f"{label} is cut short: its end is missing, without which a progressive JPEG cannot "
            "be decoded. Copy or download it again."
        )
    opened.tile = []  # nothing is left to decode: keeps Pillow from starting over
    box = opened.getbbox()
    rows = box[3] if box else 0
    if rows < _ENOUGH_ROWS * opened.height:
        raise ImageError(
            f"{label} is cut short: only {rows / opened.height:.0%} of the picture could be "
            "decoded. Copy or download it again."
        )
    return opened.crop((0, 0, opened.width, rows))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) where there is none or EXIF is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a damaged EXIF block is no reason to refuse the picture
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    if turn is None:
        return image
    upright = image.transpose(turn)
    for block in _WITH_ORIENTATION:  # else whoever reads the copy turns it a second time
        upright.info.pop(block, None)
    return upright


def _to_rgb(image: Image.Image) -> Image.Image:
    """Turn any mode of Pillow's into RGB, laying transparency on white."""
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
    """Scale grey values of no stated range to 0..255.

    Cameras and scanners fill 8, 10, 12, 14 or 16 bits, programs 0 to 1: white is the one of these
    whose upper half the brightest value lies in.  Other values are stretched from the darkest to
    the brightest.
    """
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    white = next((w for w in _WHITES if w / 2 < high <= w), None) if low >= 0 else None
    start, width = (low, (high - low) or 1.0) if white is None else (0.0, white)
    scaled = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), 256):  # a few rows at a time, for the sake of memory
        block = values[top : top + 256].astype(np.float64)
        scaled[top : top + 256] = ((block - start) * (255.0 / width)).round()
    return Image.fromarray(scaled)
