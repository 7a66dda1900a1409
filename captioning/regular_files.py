"""Reading files that somebody else has put there: ordinary ones, and only up to a size.

A named pipe would keep the reader waiting for ever, and a device such as /dev/zero never ends.
"""

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_regular_file"]


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
