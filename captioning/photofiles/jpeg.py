"""Segments of a JPEG file.

Reference:
    ITU-T T.81 annex B; for what APP1 holds, XMP part 3 (ISO 16684-1) and EXIF (JEITA CP-3451).
"""

from collections.abc import Iterator

from captioning.errors import ImageError

__all__ = ["EXIF", "LONGEST", "SIGNATURE", "XMP", "find", "replace"]

SIGNATURE = b"\xff\xd8\xff"
EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
LONGEST = 65_000
"""Bytes that fit into one segment, with room for its name."""

_APP0, _APP1, _START_OF_SCAN = 0xE0, 0xE1, 0xDA


def find(photo: bytes, name: bytes) -> bytes | None:
    """Return what the APP1 segment called `name` holds, or None if there is none."""
    for marker, start, end in _segments(photo):
        if marker == _APP1 and photo[start + 4 : end].startswith(name):
            return photo[start + 4 + len(name) : end]
    return None


def replace(photo: bytes, name: bytes, content: bytes) -> bytes:
    """Put `content` into an APP1 segment called `name`, instead of the first there was.

    Raises:
        ImageError: the content is too long for a segment, or the file is damaged.
    """
    if len(content) > LONGEST:
        raise ImageError("The photo's metadata leave no room for a caption.")
    body = name + content
    segment = bytes([0xFF, _APP1]) + (len(body) + 2).to_bytes(2, "big") + body
    first = len(SIGNATURE) - 1
    for marker, start, end in _segments(photo):
        if marker == _APP1 and photo[start + 4 : end].startswith(name):
            return photo[:start] + segment + photo[end:]
        # JFIF wants its own segment first, and EXIF comes before XMP.
        if marker == _APP0 or (marker == _APP1 and photo[start + 4 : end].startswith(EXIF)):
            first = end
    return photo[:first] + segment + photo[first:]


def _segments(photo: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the picture data."""
    place = 2
    while place + 4 <= len(photo):
        if photo[place] != 0xFF:
            raise ImageError("The photo is damaged: its JPEG segments do not follow one another.")
        marker = photo[place + 1]
        if marker == 0xFF:  # filling
            place += 1
            continue
        if marker == _START_OF_SCAN:
            return
        end = place + 2 + int.from_bytes(photo[place + 2 : place + 4], "big")
        yield marker, place, end
        place = end
