"""The catalog of data sets: those in the data folder, and folders elsewhere that were added.

`datasets.json` in the data folder lists the added folders; their files are not copied.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets import descriptions
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.loading import kind_of, load
from captioning.errors import DatasetError, StorageError
from captioning.storage import data_folder, read_json, write_json
from captioning.text import readable

# Other folders of the program in the data folder.
WORKING_FOLDERS = frozenset(
    {"checkpoints", "downloads", "explore", "features", "models", "runs", "studies", "unpacked"}
)

_MEMORY = "datasets.json"
_FORMAT_VERSION = 1
_FIRST = ("flickr8k", "flickr30k", "coco")


@dataclass(frozen=True)
class Available:
    """A data set that can be loaded.

    Attributes:
        name: Its unique name in links and commands; never a path.
        folder: Its folder, for `load`.
        kind: Its probable kind: "flickr8k", "shapes", "captioned folder" and so on.
        remembered: Whether it is an added folder outside the data folder.
    """

    name: str
    folder: Path
    kind: str
    remembered: bool = False

    @property
    def has_photos(self) -> bool:
        """Whether it has photos, and not only a class's captions and features."""
        return self.kind != descriptions.ADAPTER.name


def available_datasets() -> list[Available]:
    """Return the available data sets: well-known ones first, then users' own, then shapes.

    They are detected by file names, in milliseconds; only `load` checks whether one can be read.
    Added folders that are missing, as on a removed disk, are skipped, and folders whose path is not
    UTF-8, which no page can show.
    """
    found = [_available(folder, False) for folder in _inside_data_folder()]
    found += [_available(folder, True) for folder in remembered_folders()]
    kept: dict[str, Available] = {}
    for dataset in sorted(filter(None, found), key=_rank):
        if readable(str(dataset.folder)) != str(dataset.folder):
            continue
        name, number = dataset.name, 2
        while name in kept:
            name, number = f"{dataset.name}-{number}", number + 1
        kept[name] = Available(name, dataset.folder, dataset.kind, dataset.remembered)
    return list(kept.values())


def folder_of(name: str) -> Path:
    """Return the folder of the available data set with this name.

    Raises:
        DatasetError: There is none; the message lists the available ones.
    """
    datasets = available_datasets()
    for dataset in datasets:
        if dataset.name == name:
            return dataset.folder
    names = ", ".join(dataset.name for dataset in datasets) or "none yet"
    raise DatasetError(f"There is no data set '{name}' here; available: {names}.")


def load_named(name: str) -> CaptionDataset:
    """Read a data set by its name, or by the name of its folder in the data folder.

    Raises:
        DatasetError: There is none, or it cannot be read.
    """
    inside = data_folder() / name
    if Path(name).name == name and os.path.isdir(inside):
        return load_folder(inside)
    return load_folder(folder_of(name))


def load_folder(folder: Path) -> CaptionDataset:
    """Read the data set in a folder, in the encoding that was passed to `remember`.

    Raises:
        DatasetError: It cannot be read.
    """
    return load(folder, _remembered()[1].get(str(folder.absolute())))


def remembered_folders() -> list[Path]:
    """Return the added folders, including missing ones."""
    return [Path(folder) for folder in _remembered()[0]]


def remember(folder: Path, encoding: str | None = None) -> None:
    """Add a folder with a data set to the catalog.

    Args:
        folder: The folder.
        encoding: Of its caption files; None to detect it.

    Raises:
        DatasetError: The catalog cannot be written.
    """
    folder = folder.absolute()
    folders, encodings = _remembered()
    before = list(folders), dict(encodings)
    if folder.parent != data_folder().absolute() and str(folder) not in folders:
        folders.append(str(folder))
    encodings.pop(str(folder), None)
    if encoding is not None:
        encodings[str(folder)] = encoding
    if (folders, encodings) != before:
        _write(folders, encodings)


def forget(folder: Path) -> None:
    """Remove an added folder from the catalog; its files are not changed.

    Raises:
        DatasetError: The catalog cannot be written.
    """
    folders, encodings = _remembered()
    if str(folder.absolute()) in folders:
        folders.remove(str(folder.absolute()))
        encodings.pop(str(folder.absolute()), None)
        _write(folders, encodings)


def safe_name(text: str) -> str:
    """Convert any text to a name for a folder and a link.

    >>> safe_name("My cats (2024)"), safe_name("../runs"), safe_name("…")
    ('My-cats-2024', 'runs-data', 'photos')
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:60] or "photos"
    return f"{name}-data" if name in WORKING_FOLDERS else name


def _inside_data_folder() -> Sequence[Path]:
    try:
        names = sorted(os.listdir(data_folder()))
    except OSError:
        return []
    paths = [data_folder() / name for name in names if not name.startswith(".")]
    return [path for path in paths if path.name not in WORKING_FOLDERS and os.path.isdir(path)]


def _available(folder: Path, remembered: bool) -> Available | None:
    kind = kind_of(folder)
    if kind is None:
        return None
    well_known = remembered and kind in _FIRST
    return Available(kind if well_known else safe_name(folder.name), folder, kind, remembered)


def _rank(dataset: Available) -> tuple[int, bool, str]:
    if dataset.kind in _FIRST:
        place = _FIRST.index(dataset.kind)
    else:
        place = len(_FIRST) + (dataset.kind == "shapes")
    return place, dataset.remembered, dataset.name


def _memory() -> Path:
    return data_folder() / _MEMORY


def _remembered() -> tuple[list[str], dict[str, str]]:
    """Return the added folders, and the encodings that were given."""
    try:
        content = read_json(_memory(), dict)
        folders, encodings = content["folders"], content.get("encodings", {})
    except (StorageError, KeyError):
        return [], {}
    texts = isinstance(folders, list) and isinstance(encodings, dict)
    if not texts or not all(isinstance(t, str) for t in (*folders, *encodings.values())):
        return [], {}
    return folders, encodings


def _write(folders: Sequence[str], encodings: Mapping[str, str]) -> None:
    content = {"format_version": _FORMAT_VERSION, "folders": folders, "encodings": encodings}
    path = _memory()
    try:
        if path.exists() and not any(_remembered()):
            os.replace(path, path.with_name(f"{_MEMORY}.before"))  # damaged, but perhaps useful
        write_json(path, content)
    except OSError as error:
        raise DatasetError(f"'{path}' cannot be written ({error.strerror}).") from error
