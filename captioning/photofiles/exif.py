"""The description in an EXIF block, set without moving anything else.

An EXIF block is a small TIFF file whose entries point at places in it, some of them (makers' notes,
the thumbnail) known to their makers alone.  So nothing is moved: the first directory is written
anew at the end, with the description in it, and the header points there.

Reference:
    TIFF 6.0, section 2: header, image file directory, entries of 12 bytes sorted by tag.
"""

import struct

__all__ = ["IMAGE_DESCRIPTION", "with_description"]

IMAGE_DESCRIPTION = 0x010E
_ASCII = 2
_EMPTY = b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0"


def with_description(block: bytes | None, text: str) -> bytes | None:
    """Return an EXIF block with the description set.

    Args:
        block: what was there, from its TIFF header on; None makes a new one.
        text: written as UTF-8, as programs do although the standard says ASCII.

    Returns:
        The block, or None if the old one is damaged and had better be left alone.
    """
    block = block or _EMPTY
    try:
        order = {b"II": "<", b"MM": ">"}[block[:2]]
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        end = start + 2 + 12 * count
        entries = [block[place : place + 12] for place in range(start + 2, end, 12)]
        following = block[end : end + 4]
        if len(following) < 4:
            return None
    except (KeyError, struct.error):
        return None
    value = text.encode() + b"\0"
    value += b"\0" * (-len(value) % 4)
    length = len(text.encode()) + 1
    block += b"\0" * (len(block) % 2)
    place = len(block)
    # Up to four bytes stand in the entry itself.
    where = value if length <= 4 else struct.pack(f"{order}I", place)
    entry = struct.pack(f"{order}HHI", IMAGE_DESCRIPTION, _ASCII, length) + where
    kept = [e for e in entries if struct.unpack_from(f"{order}H", e)[0] != IMAGE_DESCRIPTION]
    kept = sorted([*kept, entry], key=lambda e: struct.unpack_from(f"{order}H", e)[0])
    directory = place + len(value)
    header = block[:4] + struct.pack(f"{order}I", directory)
    ending = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + following
    return header + block[8:] + value + ending
