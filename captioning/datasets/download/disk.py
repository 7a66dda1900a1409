"""The disk that data sets are written to, and the room on it."""

import os
import shutil
from pathlib import Path

from captioning.datasets.download.progress import gigabytes
from captioning.errors import DownloadError

__all__ = ["require_room", "writable_folder"]


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
