"""A photo whose metadata alone are damaged, without them: its pixels can still be decoded."""

import zlib

from captioning.image_formats import PNG_SIGNATURE

__all__ = ["without_metadata"]

_START_OF_PIXELS = 0xDA
_METADATA = {*range(0xE0, 0xEE), 0xEF, 0xFE}
_PNG_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def without_metadata(data: bytes) -> bytes:
    """Return a JPEG or PNG without EXIF, XMP, colour profile and texts; anything else as it is."""
    if data.startswith(PNG_SIGNATURE):
        return _png_without_metadata(data)
    return _jpeg_without_metadata(data) if data[:2] == b"\xff\xd8" else data


def _jpeg_without_metadata(data: bytes) -> bytes:
    """Keep what says how to decode the pixels: Adobe's segment, and all that are no application's.

    A file that ends among its segments is returned as it is.
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
    """Keep the picture's chunks, and EXIF, which tells what is up, if its checksum is right."""
    kept, place = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        kind, chunk = data[place + 4 : place + 8], data[place:end]
        whole = zlib.crc32(chunk[4:-4]).to_bytes(4, "big") == chunk[-4:]
        if kind in _PNG_PICTURE or (kind == b"eXIf" and whole):
            kept.append(chunk)
        place = end
    return b"".join(kept)
