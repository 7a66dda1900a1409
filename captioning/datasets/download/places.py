"""Where Flickr8k comes from and where it goes: addresses, folders, free space, instructions."""

import os
import shutil
from pathlib import Path

from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.download.progress import gigabytes
from captioning.errors import DownloadError
from captioning.storage import data_folder

KAGGLE_PAGE = "https://www.kaggle.com/datasets/adityajn105/flickr8k"
PHOTOS = 8091
CAPTIONS_EACH = 5
# The size of the archive, and the maximum that is accepted.
USUAL_BYTES = 1_113_000_000
MOST_BYTES = 3_000_000_000

# The address of the command-line download on Kaggle's page; it needs no account.
_KAGGLE_URL = "https://www.kaggle.com/api/v1/datasets/download/adityajn105/flickr8k"
_MIRROR = "CAPTIONING_FLICKR8K_URL"
# A browser saves it as archive.zip, Kaggle's command line as flickr8k.zip.
_ZIP_NAMES = ("flickr8k.zip", "archive.zip")


def download_url() -> str:
    """Return the address of the archive: `$CAPTIONING_FLICKR8K_URL` if it is set, or Kaggle's.

    A school can provide the archive on its own server.
    """
    return os.environ.get(_MIRROR) or _KAGGLE_URL


def downloads_folder() -> Path:
    """Return the folder for downloaded archives."""
    return data_folder() / "downloads"


def given_zip() -> Path | None:
    """Return the archive that a person has put into the data folder, if any."""
    paths = (data_folder() / name for name in _ZIP_NAMES)
    return next((path for path in paths if os.path.isfile(path)), None)


def kagglehub_copy() -> Path | None:
    """Return the latest copy that Kaggle's client, kagglehub, has downloaded, if any."""
    cache = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
    folder = cache / "datasets" / "adityajn105" / "flickr8k"
    numbers = (path.stem for path in folder.glob("*.complete") if path.stem.isdigit())
    copies = (folder / "versions" / number for number in sorted(numbers, key=int, reverse=True))
    return next((path for path in copies if os.path.isdir(path)), None)


def missing_from(dataset: CaptionDataset) -> list[str]:
    """Return one sentence for each missing part of a copy of Flickr8k."""
    sentences = []
    if len(dataset) != PHOTOS:
        sentences.append(f"It has {len(dataset):,} photos, but Flickr8k has {PHOTOS:,}.")
    odd = [photo.name for photo in dataset.photos if len(photo.captions) != CAPTIONS_EACH]
    if odd:
        sentences.append(
            f"{len(odd):,} of its photos, such as {odd[0]}, have another number of captions than "
            f"{CAPTIONS_EACH}."
        )
    empty = [photo.name for photo in dataset.photos if not dataset.path(photo).stat().st_size]
    if empty:
        sentences.append(f"{len(empty):,} of its photos, such as {empty[0]}, are empty files.")
    return sentences


def by_hand() -> str:
    """Return instructions for downloading Flickr8k by hand."""
    folder = data_folder().absolute()
    return (
        "To download Flickr8k by hand:\n"
        f"1. On any machine with a network, open {KAGGLE_PAGE} and download the zip (1.1 GB).\n"
        f"2. Save it as '{folder / 'flickr8k.zip'}' and start again, or enter its path: "
        "python -m captioning data download --zip FILE\n"
        f"3. Or unpack it yourself into '{folder / 'flickr8k'}' (the folder 'Images' next to "
        "'captions.txt'), or into any folder and enter its path: "
        "python -m captioning data download --folder DIR"
    )


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
