"""Formats of photo files, what their first bytes say, and checks before they are decoded."""

import functools
import math
import re
import zlib
from typing import Literal

_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}

FORMATS = tuple(_ENDINGS)
"""The supported formats, by Pillow's names.

Pillow reads MPO, the two-picture JPEG of some phones and 3-D cameras, with its JPEG reader.
"""

ENDINGS = tuple(ending for endings in _ENDINGS.values() for ending in endings)
"""File extensions of photos, in lower case with the dot."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_OTHERS = (
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n\x87\n", "JPEG XL"),
    (4, b"jP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"\0\0\1\0", "ICO"),
    (128, b"DICM", "DICOM"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
    (0, b"PK\3\4", "zip"),
    (0, b"II+\0", "BigTIFF"),
    (0, b"MM\0+", "BigTIFF"),
)

_HEIF_BRANDS = frozenset(
    b"avif avis heic heix heim heis hevc hevx mif1 msf1".split()  # AVIF is HEIF too
)

MAX_SCANS = 50
"""Progressive JPEGs have about ten scans; each further scan visits all pixels again."""

MAX_CHUNKS = 100_000
"""Most chunks in a PNG; Pillow processes them one by one."""

MAX_EXIF = 100
"""Most EXIF segments in a JPEG; Pillow copies what it has at each further one."""

MAX_NUMBERS = 200_000
"""Most numbers in an entry of a TIFF, such as one for each strip; Pillow reads them one by one."""

MAX_BLOCKS = 100_000
"""Most blocks before the first frame of a GIF; Pillow reads them one by one."""

MAX_RUN_LENGTH_BMP = 8_000_000
"""Most bytes and pixels of a BMP with run lengths; Pillow decodes these in Python."""

_START_OF_PIXELS = 0xDA
_METADATA = {*range(0xE0, 0xEE), 0xEF, 0xFE}
_END_OF_IMAGE = 0xD9
_MAX_SEGMENTS = 10_000
_WITHOUT_LENGTH = {0x01, 0xD8}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_TIFF_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_BYTES = (1, 2, 6, 7)
_GIF_EXTENSION, _GIF_FRAME_OR_END = 0x21, (0x2C, 0x3B)
_PNG_PICTURE, _PNG_WANTED = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}, {b"tRNS", b"eXIf"}


def has_photo_ending(name: str) -> bool:
    """Return whether a file name has the extension of a photo.

    >>> has_photo_ending("IMG_1.HEIC"), has_photo_ending("notes.txt")
    (True, False)
    """
    return name.lower().endswith(ENDINGS)


def is_heif(data: bytes) -> bool:
    """Return whether a file starts like a HEIC or AVIF photo."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


def needs_isolation(data: bytes) -> bool:
    """Return whether a file is of a format that is opened in a process of its own."""
    return is_heif(data) or data[:4] in _TIFF_ORDERS


def other_kind(data: bytes) -> str | None:
    """Name the kind of a file in an unsupported format, by its first bytes."""
    if is_heif(data):
        return None
    return next((kind for at, start, kind in _OTHERS if data[at:].startswith(start)), None)


def formats_of(data: bytes) -> tuple[str, ...]:
    """Return which of `FORMATS` a file may have, as an argument for Pillow."""
    if is_heif(data):
        _register_heif()
        return ("AVIF", "HEIF")
    # Pillow also reads BigTIFF and headers with swapped bytes, which no photo of this size has.
    left_out = ("HEIF",) if data[:4] in _TIFF_ORDERS else ("HEIF", "TIFF")
    return tuple(name for name in FORMATS if name not in left_out)


@functools.cache
def _register_heif() -> None:
    """Register the HEIC reader (iPhone photos) with Pillow, when the first one is opened."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def count_scans(data: bytes) -> int:
    """Count the scans of a JPEG, each a pass over its pixels; return 0 for other files.

    Like libjpeg, this skips bytes that are not markers.  More segments than any photo has, and more
    bytes between two of them, count as scans too.
    """
    count, place, segments = 0, 2, 0
    while data[:2] == b"\xff\xd8" and (found := _MARKER.search(data, place)):
        segments += 1
        between = 0 if count else found.start() - place
        if max(segments, between) > _MAX_SEGMENTS:
            return _MAX_SEGMENTS
        marker = data[found.start() + 1]
        if marker == _END_OF_IMAGE:
            break
        count += marker == _START_OF_PIXELS
        place = found.end()
        if marker not in _WITHOUT_LENGTH:
            place += max(int.from_bytes(data[place : place + 2], "big"), 2)
    return count


def too_long_to_decode(data: bytes) -> str | None:
    """Return why a file would take too long to decode, or None."""
    if count_scans(data) > MAX_SCANS:
        return f"it is a JPEG with more than {MAX_SCANS} scans"
    if data[:2] == b"\xff\xd8" and data.count(b"Exif\0\0") > MAX_EXIF:
        return f"it is a JPEG with more than {MAX_EXIF:,} blocks of EXIF"
    if data.startswith(PNG_SIGNATURE) and _png_chunks(data) > MAX_CHUNKS:
        return f"it is a PNG with more than {MAX_CHUNKS:,} chunks"
    if data[:4] in _TIFF_ORDERS and most_numbers(data) > MAX_NUMBERS:
        return f"it is a TIFF with more than {MAX_NUMBERS:,} numbers in an entry"
    if data.startswith((b"GIF87a", b"GIF89a")) and _gif_blocks(data) > MAX_BLOCKS:
        return f"it is a GIF with more than {MAX_BLOCKS:,} blocks before the picture"
    if data.startswith(b"BM") and _run_length_size(data) > MAX_RUN_LENGTH_BMP:
        return f"it is a run-length encoded BMP of more than {MAX_RUN_LENGTH_BMP:,} pixels or bytes"
    return None


def _png_chunks(data: bytes) -> int:
    """Count the chunks of a PNG; a colour profile, which Pillow unpacks, counts as a thousand."""
    place, chunks = len(PNG_SIGNATURE), 0
    while place < len(data) and chunks <= MAX_CHUNKS:
        chunks += 1_000 if data[place + 4 : place + 8] == b"iCCP" else 1
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return chunks


def _run_length_size(data: bytes) -> int:
    """Return the bytes or pixels of a run-length encoded BMP; 0 for other BMPs."""
    if data[30:31] not in (b"\1", b"\2"):
        return 0
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
    return max(len(data), abs(width * height))


def most_numbers(data: bytes) -> float:
    """Return the most numbers, other than bytes, in an entry of the first directory.

    Args:
        data: a TIFF, or a block of EXIF from its TIFF header on; with another header, such as
            BigTIFF's, the number is infinite.
    """
    order = _TIFF_ORDERS.get(data[:4])
    if order is None:
        return math.inf

    def number(place: int, size: int) -> int:
        return int.from_bytes(data[place : place + size], order)

    first = number(4, 4) + 2
    entries = range(first, first + 12 * number(first - 2, 2), 12)
    return max((number(at + 4, 4) for at in entries if number(at + 2, 2) not in _BYTES), default=0)


def _gif_blocks(data: bytes) -> int:
    """Count the blocks before the first frame of a GIF, and the stray bytes between them."""
    table = 3 << (data[10] & 7) + 1 if data[10:11] and data[10] & 0x80 else 0
    place, blocks, inside = 13 + table, 0, False
    while place < len(data) and blocks <= MAX_BLOCKS:
        length = data[place]
        if inside:
            inside, place = length > 0, place + 1 + length
        elif length in _GIF_FRAME_OR_END:
            break
        else:
            inside = length == _GIF_EXTENSION
            place += 2 if inside else 1
        blocks += 1
    return blocks


def without_metadata(data: bytes) -> bytes:
    """Return a JPEG or PNG without EXIF, XMP, colour profile and text; other files unchanged."""
    if data.startswith(PNG_SIGNATURE):
        return _png_without_metadata(data)
    return _jpeg_without_metadata(data) if data[:2] == b"\xff\xd8" else data


def _jpeg_without_metadata(data: bytes) -> bytes:
    """Keep the segments needed to decode the pixels: Adobe's and all except application segments.

    A file that ends within its segments is returned unchanged.
    """
    kept, place = [data[:2]], 2
    while data[place : place + 1] == b"\xff" and data[place + 1] != _START_OF_PIXELS:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] not in _METADATA:
            kept.append(data[place:end])
        place = end
        if place + 4 > len(data):
            return data
    return b"".join([*kept, data[place:]])


def _png_without_metadata(data: bytes) -> bytes:
    """Keep the image chunks, and transparency and EXIF (for the orientation) if undamaged."""
    kept, place = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        kind, chunk = data[place + 4 : place + 8], data[place:end]
        whole = zlib.crc32(chunk[4:-4]).to_bytes(4, "big") == chunk[-4:]
        if kind in _PNG_PICTURE or (kind in _PNG_WANTED and whole):
            kept.append(chunk)
        place = end
    return b"".join(kept)
