"""Install a data set from Kaggle, from a zip archive, or from a folder."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.catalog import remember, safe_name
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.download.archive import LIMITS, Limits, unpack
from captioning.datasets.download.places import (
    MOST_BYTES,
    USUAL_BYTES,
    by_hand,
    download_url,
    downloads_folder,
    given_zip,
    kagglehub_copy,
    missing_from,
    require_room,
    writable_folder,
)
from captioning.datasets.download.progress import Hooks, Progress
from captioning.datasets.download.transfer import PATIENCE, Patience, transfer
from captioning.datasets.loading import load
from captioning.errors import DatasetError, DownloadError, DownloadStopped
from captioning.storage import data_folder

_MARGIN = 200_000_000
_UNPACKING = ".unpacking-"
_LEFTOVER_SECONDS = 86_400


@dataclass(frozen=True)
class Installed:
    """An installed data set.

    Attributes:
        dataset: The loaded data set.
        remarks: Remarks for the user, if any.
    """

    dataset: CaptionDataset
    remarks: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return sentences about its folder, contents and problems."""
        return [f"'{self.dataset.root}' is ready.", self.dataset.summary(), *self.remarks]


def fetch_flickr8k(
    *,
    on_progress: Callable[[Progress], object] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    patience: Patience = PATIENCE,
) -> Installed:
    """Install Flickr8k in `flickr8k` in the data folder, unless a complete copy is there.

    A zip archive in the data folder or a copy downloaded by kagglehub is used without the network.
    Otherwise it is downloaded from Kaggle, which needs no account for it; an interrupted transfer
    is resumed.  The result is checked (8,091 photos, 5 captions each) and then moved into place in
    one step; an existing folder is kept in the downloads folder.

    Args:
        on_progress: Called often with the progress.
        should_stop: Called often; a true result stops the download.
        patience: Timeouts and retries.

    Raises:
        DownloadStopped: `should_stop` stopped it.
        DownloadError: There is no network, not enough disk space, or the transfer keeps failing;
            the message explains how to download it by hand.
        DatasetError: The downloaded copy is incomplete.
    """
    hooks = Hooks(on_progress, should_stop)
    there = _whole_copy(data_folder() / "flickr8k")
    if there is not None:
        return Installed(there, ("It was already there.",))
    given = given_zip()
    if given is not None:
        return _install(given, hooks, flickr8k_only=True)
    cached = kagglehub_copy()
    if cached is not None and _whole_copy(cached) is not None:
        installed = install_folder(cached)
        return Installed(installed.dataset, ("It is the copy that kagglehub has downloaded.",))
    archive = writable_folder(downloads_folder()) / "flickr8k.zip"
    if not os.path.isfile(archive):
        _fetch(archive, hooks, patience)
    return _install_fetched(archive, hooks)


def install_zip(
    path: str | os.PathLike[str],
    *,
    on_progress: Callable[[Progress], object] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    limits: Limits = LIMITS,
) -> Installed:
    """Unpack a zip archive with any kind of data set into the data folder.

    The archive is unpacked into a temporary folder in the data folder, loaded, checked if it is
    Flickr8k, and moved into place in one step.  An existing folder is kept in the downloads folder.

    Args:
        path: The archive.
        on_progress: Called often with the progress.
        should_stop: Called often; a true result stops it.
        limits: Limits on the contents.

    Raises:
        DatasetError: It is not an archive, over the limits, or contains no data set.
        DownloadError: There is not enough disk space.
        DownloadStopped: `should_stop` stopped it.
    """
    archive = Path(os.path.expanduser(path)).absolute()
    if os.path.isdir(archive):
        raise DatasetError(f"'{path}' is a folder, not a zip archive. Enter it as a folder.")
    if not os.path.isfile(archive):
        raise DatasetError(f"There is no file '{path}'. Enter the path of the zip archive.")
    return _install(archive, Hooks(on_progress, should_stop), limits=limits)


def install_folder(path: str | os.PathLike[str], encoding: str | None = None) -> Installed:
    """Check a folder with a data set and add it to the catalog; its files are not copied.

    Args:
        path: The folder.
        encoding: Of its caption files; None to detect it.

    Raises:
        DatasetError: It contains no readable data set, or none of its photos has a caption.
    """
    dataset = load(path, encoding)
    if not any(photo.captions for photo in dataset.photos):
        raise DatasetError(f"'{dataset.root}' has photos, but none of them has a caption.")
    remember(dataset.root, encoding)
    return Installed(dataset, tuple(_shortcomings(dataset)))


def _fetch(archive: Path, hooks: Hooks, patience: Patience) -> None:
    def room_for(done: int, total: int | None) -> None:
        whole = total or USUAL_BYTES  # once as an archive and once unpacked
        require_room(archive.parent, whole - done + whole + _MARGIN)

    try:
        transfer(
            download_url(),
            archive,
            hooks=hooks,
            require_room=room_for,
            most_bytes=MOST_BYTES,
            patience=patience,
        )
    except DownloadStopped:
        raise
    except DownloadError as error:
        raise DownloadError(f"Flickr8k was not downloaded. {error}\n\n{by_hand()}") from error


def _install_fetched(archive: Path, hooks: Hooks) -> Installed:
    """Install the downloaded archive, and delete it after use or if it is unusable."""
    try:
        installed = _install(archive, hooks, flickr8k_only=True)
    except DownloadError:
        raise  # disk full or stopped: the archive is still usable
    except DatasetError:
        archive.unlink(missing_ok=True)
        raise
    archive.unlink(missing_ok=True)
    return installed


def _install(
    archive: Path, hooks: Hooks, *, limits: Limits = LIMITS, flickr8k_only: bool = False
) -> Installed:
    folder = writable_folder(data_folder())
    _clear_leftovers(folder)
    unpacked = folder / f"{_UNPACKING}{os.getpid()}-{time.time_ns()}"
    try:
        unpacked.mkdir()
        unpack(archive, unpacked, hooks, limits)
        hooks.report(Progress("checking"))
        dataset = _checked(archive, unpacked, flickr8k_only)
        well_known = dataset.name != dataset.root.name
        own_name = archive.stem if dataset.root == unpacked else dataset.root.name
        target = folder / (dataset.name if well_known else safe_name(own_name))
        remarks = _move_into_place(dataset.root, target)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return Installed(load(target), tuple(remarks))


def _checked(archive: Path, unpacked: Path, flickr8k_only: bool) -> CaptionDataset:
    """Load the unpacked data set.

    Raises:
        DatasetError: It is not a data set, or an incomplete copy of Flickr8k.
    """
    try:
        dataset = load(unpacked)
    except DatasetError as error:
        found = str(error).replace(str(unpacked), archive.name)
        raise DatasetError(f"'{archive.name}' cannot be used. {found}") from error
    missing = _shortcomings(dataset)
    if flickr8k_only and dataset.name != "flickr8k":
        missing = [f"It contains another data set: {dataset.summary()}"]
    if missing:
        raise DatasetError(
            f"'{archive.name}' is not a complete copy of Flickr8k. {' '.join(missing)} "
            "Download it again."
        )
    return dataset


def _shortcomings(dataset: CaptionDataset) -> list[str]:
    return missing_from(dataset) if dataset.name == "flickr8k" else []


def _whole_copy(folder: Path) -> CaptionDataset | None:
    """Return the copy of Flickr8k in `folder`; None if it is missing or incomplete."""
    if not os.path.isdir(folder):
        return None
    try:
        dataset = load(folder)
        whole = dataset.name == "flickr8k" and not missing_from(dataset)
    except (DatasetError, OSError):
        return None
    return dataset if whole else None


def _move_into_place(root: Path, target: Path) -> list[str]:
    """Rename `root` to `target`; keep an existing folder under another name, with a remark."""
    remarks = []
    try:
        if os.path.lexists(target):
            shed = writable_folder(downloads_folder())
            kept = shed / f"{target.name}-before-{time.strftime('%Y%m%d-%H%M%S')}"
            os.rename(target, kept)
            remarks.append(f"The previous contents of '{target}' are kept in '{kept}'.")
        os.rename(root, target)
    except OSError as error:
        raise DownloadError(f"'{target}' cannot be written ({error.strerror}).") from error
    return remarks


def _clear_leftovers(folder: Path) -> None:
    """Delete temporary folders of crashed installations after a day."""
    for path in folder.glob(f"{_UNPACKING}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
