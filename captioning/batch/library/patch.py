"""The way back from a changed file to the old one, without a copy of all that stayed the same.

A caption changes a few hundred bytes of a photo of megabytes.  What is stored is a list of pieces:
those of the new file by their place, and the few bytes that only the old file had.
"""

import struct
import zlib

from captioning.errors import StorageError

_PIECE = struct.Struct("<QQ")  # place in the new file plus one, or 0 for bytes that follow; length
_KEY = 32
_STEP = 256
_LONGEST = 1 << 16
_MAX_SEARCHED = 2_000_000_000
"""Bytes of the new file that are searched in all.  After that, only pieces at the same distance as
the one before are found, and the patch is larger."""

_MAX_OLD = 200_000_000
"""The largest old file; photos and tables are smaller."""


def make_patch(old: bytes, new: bytes) -> bytes:
    """Return what `old_from_patch` makes the old bytes from, given the new ones."""
    parts: list[bytes] = []
    place = start = 0  # what lies between `start` and `place` is in the old file alone
    shift = searched = 0
    while place < len(old):
        key = old[place : place + _KEY]
        found = place + shift
        if found < 0 or new[found : found + _KEY] != key:
            found = new.find(key) if searched < _MAX_SEARCHED else -1
            searched += len(new) if found < 0 else found
        if found < 0:
            place += _STEP
            continue
        length = _common(old, place, new, found)
        parts += [*_own(old[start:place]), _PIECE.pack(found + 1, length)]
        shift = found - place
        place = start = place + length
    parts += _own(old[start:])
    return zlib.compress(b"".join(parts), 1)


def old_from_patch(patch: bytes, new: bytes) -> bytes:
    """Return the old bytes.

    Raises:
        StorageError: the patch is damaged.
    """
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(patch, _MAX_OLD)
        if not unpacker.eof:
            raise StorageError("What was in the file before is damaged: it has no end.")
        parts, at, size = [], 0, 0
        while at < len(content):
            place, length = _PIECE.unpack_from(content, at)
            at += _PIECE.size
            if place:
                parts.append(new[place - 1 : place - 1 + length])
            else:
                parts.append(content[at : at + length])
                at += length
            size += len(parts[-1])
            if size > _MAX_OLD:
                raise StorageError("What was in the file before is damaged: it is too long.")
    except (zlib.error, struct.error) as error:
        raise StorageError(f"What was in the file before is damaged: {error}.") from error
    return b"".join(parts)


def _own(data: bytes) -> list[bytes]:
    return [_PIECE.pack(0, len(data)), data] if data else []


def _common(old: bytes, place: int, new: bytes, found: int) -> int:
    """Return how many bytes from two places on are equal."""
    most = min(len(old) - place, len(new) - found)
    length, step = 0, _LONGEST
    while step:
        end = length + step
        if end <= most and old[place + length : place + end] == new[found + length : found + end]:
            length = end
        else:
            step //= 2
    return length
