"""Setting texts in the first directory of an EXIF block or a TIFF file, without moving other data.

The entries of a directory point to offsets in the block, and so do data in unknown formats, such as
maker notes.  So nothing is moved: a text replaces the old one if it fits, and is appended if not,
and so is the directory if it gets a new entry.  Replaced data at the end are removed first, so that
the file does not grow.

Reference:
    TIFF 6.0, section 2: header, image file directory, entries of 12 bytes sorted by tag.
"""

import struct
from collections.abc import Mapping

IMAGE_DESCRIPTION, XMP, IPTC = 0x010E, 0x02BC, 0x83BB
"""Tags whose values are text or bytes; the last two are used in TIFF files."""

_ASCII, _BYTE, _UNDEFINED = 2, 1, 7
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1}
_KINDS = {IMAGE_DESCRIPTION: _ASCII, XMP: _BYTE, IPTC: _UNDEFINED}
_EMPTY = b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0"


def with_entries(block: bytes | None, values: Mapping[int, bytes]) -> bytes | None:
    """Return an EXIF block or TIFF file with some entries set.

    Args:
        block: the old one, from its TIFF header on; None creates a new one.
        values: by tag; a text is written as UTF-8, as is usual although the standard says ASCII.

    Returns:
        The block, or None if the old one is damaged or of an unknown kind.
    """
    try:
        return _Directory(block or _EMPTY).with_values(
            {tag: value + b"\0" * (_KINDS[tag] == _ASCII) for tag, value in values.items()}
        )
    except (KeyError, ValueError, struct.error):
        return None


def find(block: bytes | None, tag: int) -> bytes | None:
    """Return the value of an entry without the zero bytes at its end; None if there is none."""
    try:
        directory = _Directory(block or _EMPTY)
        if tag not in directory.entries:
            return None
        place, length = directory.value(tag)
        return bytes(directory.block[place : place + length]).rstrip(b"\0")
    except (KeyError, ValueError, struct.error):
        return None


class _Directory:
    """The first directory of a block.

    Raises:
        KeyError, ValueError, struct.error: the block is damaged.
    """

    def __init__(self, block: bytes) -> None:
        self.block = bytearray(block)
        self.order = {b"II*\0": "<", b"MM\0*": ">"}[block[:4]]
        (self.start,) = struct.unpack_from(f"{self.order}I", block, 4)
        (count,) = struct.unpack_from(f"{self.order}H", block, self.start)
        self.end = self.start + 2 + 12 * count + 4
        if self.end > len(block):
            raise ValueError("the directory is longer than the block")
        self.entries = {
            struct.unpack_from(f"{self.order}H", block, place)[0]: place
            for place in range(self.start + 2, self.end - 4, 12)
        }

    def value(self, tag: int) -> tuple[int, int]:
        """Return the offset of an entry's value, and its length in bytes."""
        entry = self.entries[tag]
        kind, count = struct.unpack_from(f"{self.order}HI", self.block, entry + 2)
        length = _SIZES[kind] * count
        place = entry + 8
        if length > 4:
            (place,) = struct.unpack_from(f"{self.order}I", self.block, place)
        if place + length > len(self.block):
            raise ValueError("a value lies outside the block")
        return place, length

    def with_values(self, values: Mapping[int, bytes]) -> bytes:
        """Return the block with some entries set."""
        entries = {tag: bytes(self.block[at : at + 12]) for tag, at in self.entries.items()}
        following = bytes(self.block[self.end - 4 : self.end])
        old = {tag: self.value(tag) for tag in values if tag in entries}
        is_last = self._cut(self.start, self.end)
        kept = {
            tag: place
            for tag, (place, length) in sorted(old.items(), key=lambda o: -o[1][0])
            if not self._cut(place, place + length)
        }
        for tag, value in values.items():
            room = old[tag][1] if tag in kept else 0
            if 4 < len(value) <= room:
                self.block[kept[tag] : kept[tag] + room] = value.ljust(room, b"\0")
                stored = struct.pack(f"{self.order}I", kept[tag])
            else:
                stored = self._stored(value)
            facts = struct.pack(f"{self.order}HHI", tag, _KINDS[tag], len(value))
            entries[tag] = facts + stored
        if is_last or entries.keys() - self.entries.keys():
            self._even()
            self.block[4:8] = struct.pack(f"{self.order}I", len(self.block))
            self.block += struct.pack(f"{self.order}H", len(entries))
            self.block += b"".join(entry for _, entry in sorted(entries.items())) + following
        else:
            for tag in values:
                self.block[self.entries[tag] : self.entries[tag] + 12] = entries[tag]
        return bytes(self.block)

    def _cut(self, start: int, end: int) -> bool:
        """Remove data if they are at the end of the block; return whether they were."""
        if start < 8 or end + end % 2 < len(self.block):
            return False
        del self.block[start:]
        return True

    def _stored(self, value: bytes) -> bytes:
        """Return the value field of an entry: the value itself if it is short, or its offset."""
        if len(value) <= 4:
            return value.ljust(4, b"\0")
        self._even()
        place = len(self.block)
        self.block += value
        return struct.pack(f"{self.order}I", place)

    def _even(self) -> None:
        self.block += b"\0" * (len(self.block) % 2)
