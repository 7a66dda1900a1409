"""Safe reading of photos: any file gives an upright RGB image or a clear error.

A photo is untrusted.  Its file size is checked before it is read, its dimensions before it is
decoded, and only the formats in `FORMATS` reach a decoder.  Reading changes none of Pillow's global
settings, so it is thread-safe.  Large photos are decoded one at a time, to limit memory, and those
in formats of complex structure in a process of their own (`isolated_photos`).
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
from captioning.image_formats import (
    FORMATS,
    PNG_SIGNATURE,
    formats_of,
    is_heif,
    needs_isolation,
    other_kind,
    too_long_to_decode,
    without_metadata,
)
from captioning.image_modes import exif_orientation, to_rgb, upright
from captioning.isolated_photos import decode_isolated
from captioning.storage import read_regular_file

MAX_BYTES = 50_000_000
#: JPEG quality of the small copies of Flickr8k, read from their quantisation tables.
COPY_QUALITY = 94
MAX_PIXELS = 80_000_000
#: Formats that take up to 0.3 s a million pixels; phones take HEIC photos of up to 48 million.
MAX_PIXELS_OF = {"HEIF": 50_000_000, "AVIF": 25_000_000}
#: Decoders keep data for each row, so a thin image takes more memory than its pixels suggest.
MAX_SIDE = 30_000

# A truncated JPEG is still accepted if at least this share of its rows is present.
_ENOUGH_ROWS = 0.9

_TILE_TAGS = (322, 323)


# Pillow warns about decompression bombs, which are refused here anyway, and about odd metadata,
# which captions do not need.  Set once at import, because all threads share the filters.
for _category in (Image.DecompressionBombWarning, UserWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")


def read_image(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """Read one photo as an upright RGB image.

    EXIF orientation is applied, transparent areas become white, an animation gives its first
    frame, and 16-bit, 32-bit and floating-point greys are scaled to 0..255 by their own range.
    A truncated JPEG is cropped to its decoded rows if they cover at least nine tenths of its
    height; otherwise, and in every other format, a truncated file is refused.  A JPEG or PNG with
    damaged metadata is read without them and not rotated.

    Args:
        source: A path, the file's bytes, or a binary stream, which is read from its start (and
            left open).
        name: The photo's name in error messages; by default the name of the path or stream.
        max_bytes: The largest file accepted; a larger one is refused before it is read.
        max_pixels: The largest width x height accepted; a larger photo is refused before it is
            decoded, as is a side longer than `MAX_SIDE`.  Pillow's limit of 178 million pixels
            applies as well, and to HEIC and AVIF those of `MAX_PIXELS_OF`.

    Returns:
        An image of mode RGB that keeps no file open.

    Raises:
        ImageError: The photo is missing, empty, too large, damaged, or in an unsupported format.
    """
    label = _label(source, name)
    data = _read_bytes(source, label, max_bytes)
    if not data:
        raise ImageError(f"{label} is empty: the file has 0 bytes. Copy or download it again.")
    if not needs_isolation(data):
        return decode_here(data, label, max_pixels)
    with _DECODING.take(MAX_PIXELS):
        return decode_isolated(data, label, max_pixels)


def decode_here(data: bytes, label: str, max_pixels: int) -> Image.Image:
    """Decode a photo in this process; see `read_image` and `isolated_photos`.

    Args:
        data: The file.
        label: The photo's name as error messages start with it.
        max_pixels: As for `read_image`.

    Raises:
        ImageError: As `read_image`.
    """
    try:
        try:
            return _decode(data, label, max_pixels)
        except (ImageError, MemoryError):
            raise
        except Exception:  # perhaps only the metadata are damaged
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
            f"{label} is damaged or incomplete: it starts like a picture but cannot be decoded to "
            "its end. Copy or download it again."
        ) from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Convert an image in memory to upright RGB, with transparent areas in white.

    Raises:
        ImageError: The image has too many pixels, or its file is damaged.
    """
    label = _label(image, getattr(image, "filename", None) or None)
    _check_pixels(image.size, label, MAX_PIXELS)
    try:
        orientation = exif_orientation(image)
        if image.mode == "RGB" and orientation == 1 and not image.has_transparency_data:
            image.load()
            return image
        return to_rgb(upright(image, orientation))
    except Exception as error:  # a lazily opened file is decoded only here
        raise ImageError(f"{label} cannot be decoded ({error}). Copy it again.") from error


def to_square(image: Image.Image, size: int) -> np.ndarray:
    """Resize an image to a square without cropping or padding, as encoders expect it.

    Args:
        image: Any image; one that is not RGB is converted.
        size: Width and height of the result, in pixels.

    Returns:
        A writable uint8 array of shape (size, size, 3), values 0..255.  An image that already has
        this size keeps its pixels; others are resampled bicubically.
    """
    if image.mode != "RGB":
        image = to_rgb(image)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def as_small_copy(image: Image.Image, size: int) -> Image.Image:
    """Process a photo like the small copies that models are trained on.

    Flickr8k's copies of 224 x 224 pixels are resized bicubically to a square and saved as JPEG with
    chroma subsampling, which changes what networks see: see docs/adr/0019.

    Args:
        image: RGB; one that already has this size is returned unchanged.
        size: Width and height of the copies, in pixels.
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
        ImageError: The file is missing, too large, or not a regular file.
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
    """Admits callers in order of arrival, as long as their pixels fit into the budget together."""

    def __init__(self, pixels: int) -> None:
        self._all = self._free = pixels
        self._line = threading.Lock()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Hold `pixels` of the budget within the block; a larger request takes the whole budget."""
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
            f"{label} is refused: {reason}, which takes too long to read. "
            "Save it again with another program."
        )
    with Image.open(io.BytesIO(data), formats=formats_of(data)) as opened:
        max_pixels = min(max_pixels, MAX_PIXELS_OF.get(opened.format or "", max_pixels))
        _check_pixels(opened.size, label, max_pixels)
        _check_pixels(_tile(opened) or opened.size, label, max_pixels)
        with _DECODING.take(opened.width * opened.height):
            picture = to_rgb(_load(opened, label))
            # A PNG may store EXIF after the pixels, so it is read after loading.
            orientation = exif_orientation(opened)
            opened.close()  # free its pixels before the rotated copy is made
            return upright(picture, orientation)


def _label(source: object, name: str | None) -> str:
    """Return the photo's name as error messages start with it."""
    if name is None:
        own = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
        if isinstance(own, (str, os.PathLike)):
            name = PurePath(os.fsdecode(own)).name or os.fsdecode(own)
    # Undecodable bytes in a file name would make the message unprintable.
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
        f"{label} is too large: its file is larger than the {max_bytes / 1e6:,.3g} MB accepted. "
        "Use a smaller copy of it."
    )


def _check_pixels(size: tuple[int, int], label: str, max_pixels: int) -> None:
    width, height = size
    if max(size) > MAX_SIDE:
        raise ImageError(
            f"{label} is too large: it has {width:,} x {height:,} pixels, and no side may be "
            f"longer than {MAX_SIDE:,}. Use a smaller copy of it."
        )
    if width * height > max_pixels:
        raise ImageError(_too_many_pixels(label, max_pixels, f"{width:,} x {height:,} pixels, "))
    if width * height == 0:
        raise ImageError(f"{label} has no pixels ({width} x {height}).")


def _tile(opened: ImageFile.ImageFile) -> tuple[int, int] | None:
    """Return the size of a TIFF's tiles; a tile is decoded whole even if the image is smaller."""
    sizes = [getattr(opened, "tag_v2", {}).get(tag) for tag in _TILE_TAGS]
    width, height = (size if type(size) is int and size > 0 else 0 for size in sizes)
    return (width, height) if width and height else None


def _too_many_pixels(label: str, max_pixels: int, found: str = "") -> str:
    return (
        f"{label} is too large: it has {found}more than the {max_pixels / 1e6:,.3g} million pixels "
        "accepted. Use a smaller copy of it."
    )


def _not_a_photo(data: bytes, label: str) -> str:
    """Explain what a file that no allowed decoder recognises seems to be."""
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
        "damaged: the data needed to decode it has been changed"
        if has_end
        else "damaged or incomplete: the file holds only the beginning of a picture"
    )
    return f"{label} is {what}. Copy or download it again."


def _load(opened: ImageFile.ImageFile, label: str) -> Image.Image:
    """Decode the pixels; of a truncated JPEG, keep the decoded rows."""
    try:
        opened.load()
    except OSError as error:
        if opened.format not in ("JPEG", "MPO") or "truncated" not in str(error):
            raise
        return _rows_that_arrived(opened, label)
    return opened


def _rows_that_arrived(opened: ImageFile.ImageFile, label: str) -> Image.Image:
    """Crop a half-decoded JPEG to its decoded rows.

    Pillow has an option to accept such files, but it is global and fills the rest with grey.  The
    decoder leaves the rows it did not reach at zero, which identifies them; a progressive JPEG is
    refused, because none of its rows is final before the end of the file.
    """
    if "progressive" in opened.info:
        raise ImageError(
            f"{label} is incomplete: the end of the file is missing, and a progressive JPEG cannot "
            "be decoded without it. Copy or download it again."
        )
    opened.tile = []  # nothing left to decode: keeps Pillow from starting again
    box = opened.getbbox()
    rows = box[3] if box else 0
    if rows < _ENOUGH_ROWS * opened.height:
        raise ImageError(
            f"{label} is incomplete: only {rows / opened.height:.0%} of the picture could be "
            "decoded. Copy or download it again."
        )
    return opened.crop((0, 0, opened.width, rows))
