"""The disk that data sets are written to: room on it, and a lock."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from captioning.datasets.download.progress import gigabytes
from captioning.errors import DownloadError

__all__ = ["is_locked", "locked", "require_room", "writable_folder"]


def writable_folder(folder: Path) -> Path:
    """Make `folder` if it is missing, and return it.

    Raises:
        DownloadError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"The folder '{folder}' cannot be made ({error.strerror}).") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DownloadError(
            f"The folder '{folder}' cannot be written to. Allow it, or set CAPTIONING_DATA to "
            "another folder."
        )
    return folder


def require_room(folder: Path, count: int) -> None:
    """Make sure that `count` more bytes fit on the disk of `folder`.

    Raises:
        DownloadError: They do not.
    """
    free = shutil.disk_usage(folder).free
    if free < count:
        raise DownloadError(
            f"There is not enough room on the disk of '{folder}': {gigabytes(count)} are needed "
            f"and {gigabytes(free)} are free. Make room, or set CAPTIONING_DATA to a folder on "
            "another disk."
        )


@contextmanager
def locked(path: Path, patience: float = 1.0) -> Iterator[bool]:
    """Hold the lock on `path` inside; yields whether it was to be had within `patience` seconds.

    The kernel lets go of it when the process ends, however it ends.
    """
    with open(path, "a", encoding="utf-8") as file:
        deadline = time.monotonic() + patience
        taken = _try(file.fileno(), fcntl.LOCK_EX)
        while not taken and time.monotonic() < deadline:  # `is_locked` takes it for an instant
            time.sleep(0.02)
            taken = _try(file.fileno(), fcntl.LOCK_EX)
        yield taken


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds the lock on `path`."""
    try:
        with open(path, encoding="utf-8") as file:
            return not _try(file.fileno(), fcntl.LOCK_SH)
    except OSError:
        return False


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
