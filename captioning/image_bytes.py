"""Checks on a photo's bytes before decoding, and removal of damaged metadata."""

import re
import zlib

from captioning.image_formats import PNG_SIGNATURE

__all__ = ["count_scans", "too_long_to_decode", "without_metadata"]

MAX_SCANS = 50
"""Progressive JPEGs have about ten scans; each further scan visits all pixels again."""

MAX_CHUNKS = 100_000
"""Most chunks in a PNG; Pillow processes them one by one."""

_START_OF_PIXELS = 0xDA
_METADATA = {*range(0xE0, 0xEE), 0xEF, 0xFE}
_END = 0xD9
_MAX_SEGMENTS = 10_000
_WITHOUT_LENGTH = {0x01, 0xD8}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PNG_PICTURE, _PNG_WANTED = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}, {b"tRNS", b"eXIf"}


def count_scans(data: bytes) -> int:
    """Count the scans of a JPEG, each a pass over its pixels; return 0 for other files.

    Like libjpeg, this skips bytes that are not markers.  Segments beyond a number that no photo
    reaches count as scans too.
    """
    count, place, segments = 0, 2, 0
    while data[:2] == b"\xff\xd8" and (found := _MARKER.search(data, place)):
        segments += 1
        if segments > _MAX_SEGMENTS:
            return segments
        marker = data[found.start() + 1]
        if marker == _END:
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
    place, chunks = len(PNG_SIGNATURE), 0
    while data.startswith(PNG_SIGNATURE) and place < len(data) and chunks <= MAX_CHUNKS:
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        chunks += 1
    return f"it is a PNG with more than {MAX_CHUNKS:,} chunks" if chunks > MAX_CHUNKS else None


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
