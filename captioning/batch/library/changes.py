"""A change of a file, and the way back to the old one, without a copy of all that stayed the same.

A caption changes a few hundred bytes of a photo of megabytes.  What is stored is a list of pieces:
those of the new file by their place, and the few bytes that only the old file had.
"""

import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

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

_MAX_PATCH, _MAX_OFFSET, _MAX_MODE = 1 << 28, 1 << 60, 0o7777


@dataclass(frozen=True)
class Draft:
    """A file as it is and as it should be.

    Attributes:
        path: the file.
        old: its bytes; None if it is not there.
        new: its bytes with the caption.
        modified: when it was changed last, in nanoseconds.
        mode: its permissions.
    """

    path: Path
    old: bytes | None
    new: bytes
    modified: int = 0
    mode: int = 0

    @classmethod
    def of(cls, path: Path, old: bytes | None, new: bytes) -> "Draft":
        """Make a draft with the facts of the file that is there."""
        if old is None:
            return cls(path, old, new)
        status = path.stat()
        return cls(path, old, new, status.st_mtime_ns, status.st_mode & 0o7777)


class Change(NamedTuple):
    """A file that was written, or was about to be when the process ended.

    Attributes:
        file: its path.
        after: digest of what was written.
        before: digest of what was there; empty if nothing was.
        offset: where in `before.bin` the way back begins.
        length: its bytes.
        modified: when the file had been changed last, in nanoseconds.
        mode: its permissions.
    """

    file: str
    after: str
    before: str = ""
    offset: int = 0
    length: int = 0
    modified: int = 0
    mode: int = 0

    @property
    def possible(self) -> bool:
        """Whether its numbers are such as are written."""
        return (
            0 <= self.offset <= _MAX_OFFSET
            and 0 <= self.length <= _MAX_PATCH
            and abs(self.modified) < 1 << 62
            and 0 <= self.mode <= _MAX_MODE
        )


def digest(data: bytes) -> str:
    """Return 32 digits by which a file's content is known again."""
    return hashlib.sha256(data).hexdigest()[:32]


def keep_old(draft: Draft, kept: IO[bytes]) -> Change:
    """Append the way back from a draft to a file, and return where it is."""
    if draft.old is None:
        return Change(str(draft.path), digest(draft.new))
    patch = make_patch(draft.old, draft.new)
    offset = kept.seek(0, os.SEEK_END)
    kept.write(patch)
    return Change(
        str(draft.path),
        digest(draft.new),
        digest(draft.old),
        offset,
        len(patch),
        draft.modified,
        draft.mode,
    )


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
