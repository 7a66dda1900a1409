"""Chunks of a PNG file.

Reference:
    W3C Portable Network Graphics specification, sections 5 and 11; XMP part 3 for the keyword.
"""

import zlib
from collections.abc import Iterator

from captioning.errors import ImageError

__all__ = ["SIGNATURE", "find_xmp", "with_text"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"
_DESCRIPTION = b"Description"
_LONGEST_TEXT = 10_000_000


def find_xmp(photo: bytes) -> bytes | None:
    """Return the XMP packet, or None if there is none that can be read."""
    for kind, start, end in _chunks(photo):
        data = photo[start + 8 : end - 4]
        if kind == b"iTXt" and data.startswith(_XMP + b"\0"):
            return _text_of(data)
    return None


def with_text(photo: bytes, packet: bytes, description: str) -> bytes:
    """Put an XMP packet and a `Description` before the picture data, instead of what there was."""
    parts = [SIGNATURE]
    for kind, start, end in _chunks(photo):
        data = photo[start + 8 : end - 4]
        keyword = data.partition(b"\0")[0] if kind in (b"iTXt", b"tEXt", b"zTXt") else b""
        if keyword not in (_XMP, _DESCRIPTION):
            parts.append(photo[start:end])
        if kind == b"IHDR":
            parts.append(_text_chunk(_XMP, packet))
            parts.append(_text_chunk(_DESCRIPTION, description.encode()))
    return b"".join(parts)


def _text_chunk(keyword: bytes, text: bytes) -> bytes:
    body = b"iTXt" + keyword + b"\0" + b"\0\0" + b"\0" + b"\0" + text  # not compressed
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def _text_of(data: bytes) -> bytes | None:
    """Return the text of an iTXt chunk: keyword, compression, language, translation, text."""
    _, _, rest = data.partition(b"\0")
    compressed = rest[:1] == b"\1"
    _, _, rest = rest[2:].partition(b"\0")
    _, _, text = rest.partition(b"\0")
    if not compressed:
        return text
    try:
        unpacked = zlib.decompressobj()
        return unpacked.decompress(text, _LONGEST_TEXT)
    except zlib.error:
        return None


def _chunks(photo: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each chunk."""
    place = len(SIGNATURE)
    while place + 12 <= len(photo):
        end = place + 12 + int.from_bytes(photo[place : place + 4], "big")
        if end > len(photo):
            raise ImageError("The photo is damaged: a PNG chunk is longer than the file.")
        yield photo[place + 4 : place + 8], place, end
        place = end
