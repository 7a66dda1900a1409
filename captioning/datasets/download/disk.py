"""The disk of the data folder: writable folders and free space."""

import os
import shutil
from pathlib import Path

from captioning.datasets.download.progress import gigabytes
from captioning.errors import DownloadError


def writable_folder(folder: Path) -> Path:
    """Create `folder` if it is missing, and return it.

    Raises:
        DownloadError: It cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"The folder '{folder}' cannot be created ({error.strerror})."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DownloadError(
            f"The folder '{folder}' cannot be written to. Allow it, or set CAPTIONING_DATA to "
            "another folder."
        )
    return folder


def require_room(folder: Path, count: int) -> None:
    """Check that the disk of `folder` has `count` bytes of free space.

    Raises:
        DownloadError: It has less.
    """
    free = shutil.disk_usage(folder).free
    if free < count:
        raise DownloadError(
            f"There is not enough space on the disk of '{folder}': {gigabytes(count)} are needed, "
            f"but only {gigabytes(free)} are free. Delete files, or set CAPTIONING_DATA to a "
            "folder on another disk."
        )
