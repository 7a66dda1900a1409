"""Ordinary files: read only up to a size, and written so that a power cut does not undo it.

What somebody else has put in a file's place may be a named pipe, which keeps the reader waiting for
ever, or a device such as /dev/zero, which never ends.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

__all__ = ["flush_to_disk", "read_regular_file"]


def read_regular_file(path: str | Path | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the bytes of an ordinary file.

    Raises:
        OSError: it cannot be read, is no ordinary file (`errno.EINVAL`), or has more than
            `max_bytes` (`errno.EFBIG`).
        ValueError: the path has a zero byte in it.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, a device or the like", str(path))
        if status.st_size > max_bytes:
            raise OSError(errno.EFBIG, f"it has more than {max_bytes / 1e6:,.3g} MB", str(path))
        return file.read(status.st_size)  # not more: a buffer of that size is taken at once


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, has reached the disk.

    A file moved into place may otherwise be empty after a power cut, and the move undone.  Where
    the system cannot do this, as for a folder on Windows, nothing happens.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
