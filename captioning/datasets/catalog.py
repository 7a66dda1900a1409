"""Which data sets there are: those in the data folder, and folders elsewhere that were named once.

`datasets.json` in the data folder remembers the latter; their photos stay where they are.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets import descriptions
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.loading import kind_of, load
from captioning.errors import DatasetError
from captioning.storage import data_folder, write_json

__all__ = [
    "Available",
    "available_datasets",
    "folder_of",
    "forget",
    "load_folder",
    "load_named",
    "remember",
    "safe_name",
]

# What else the program keeps in its data folder.
WORKING_FOLDERS = frozenset({"downloads", "explore", "features", "models", "runs", "studies"})

_MEMORY = "datasets.json"
_FORMAT_VERSION = 1
_FIRST = ("flickr8k", "flickr30k", "coco")


@dataclass(frozen=True)
class Available:
    """A data set that can be loaded.

    Attributes:
        name: What to call it in a link or a command; no two have the same, and it is never a path.
        folder: Where it lies, for `load`.
        kind: What it looks like: "flickr8k", "shapes", "captioned folder" and so on.
        remembered: Whether it lies elsewhere and was named once.
    """

    name: str
    folder: Path
    kind: str
    remembered: bool = False

    @property
    def has_photos(self) -> bool:
        """Whether there is something to look at, and not a class's captions and features alone."""
        return self.kind != descriptions.ADAPTER.name


def available_datasets() -> list[Available]:
    """Return the data sets at hand: well-known ones first, then people's own, then shapes.

    Told from the names of files, in milliseconds; whether one can be read, `load` finds out.  A
    remembered folder that is not there now, on a disk taken out say, is left out.
    """
    found = [_available(folder, False) for folder in _inside_data_folder()]
    found += [_available(folder, True) for folder in remembered_folders()]
    kept: dict[str, Available] = {}
    for dataset in sorted(filter(None, found), key=_rank):
        name, number = dataset.name, 2
        while name in kept:
            name, number = f"{dataset.name}-{number}", number + 1
        kept[name] = Available(name, dataset.folder, dataset.kind, dataset.remembered)
    return list(kept.values())


def folder_of(name: str) -> Path:
    """Return the folder of the available data set of this name.

    Raises:
        DatasetError: There is none; the text names those there are.
    """
    datasets = available_datasets()
    for dataset in datasets:
        if dataset.name == name:
            return dataset.folder
    names = ", ".join(dataset.name for dataset in datasets) or "none yet"
    raise DatasetError(f"There is no data set '{name}' here; there are: {names}.")


def load_named(name: str) -> CaptionDataset:
    """Read a data set by its name here, or by that of its folder in the data folder.

    Raises:
        DatasetError: There is none, or it cannot be read.
    """
    inside = data_folder() / name
    if Path(name).name == name and inside.is_dir():
        return load_folder(inside)
    return load_folder(folder_of(name))


def load_folder(folder: Path) -> CaptionDataset:
    """Read the data set in a folder, in the encoding that `remember` was told.

    Raises:
        DatasetError: It cannot be read.
    """
    return load(folder, _remembered()[1].get(str(folder.absolute())))


def remembered_folders() -> list[Path]:
    """Return the folders that were named, also those that are not there now."""
    return [Path(folder) for folder in _remembered()[0]]


def remember(folder: Path, encoding: str | None = None) -> None:
    """Keep in mind that a data set lies in `folder`.

    Args:
        folder: Where it lies.
        encoding: That of its caption files; None to find it out.

    Raises:
        DatasetError: It cannot be written down.
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
    """Let go of a remembered folder; its files stay as they are.

    Raises:
        DatasetError: It cannot be written down.
    """
    folders, encodings = _remembered()
    if str(folder.absolute()) in folders:
        folders.remove(str(folder.absolute()))
        encodings.pop(str(folder.absolute()), None)
        _write(folders, encodings)


def safe_name(text: str) -> str:
    """Make a name for a folder and a link out of any text.

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
    return [path for path in paths if path.name not in WORKING_FOLDERS and path.is_dir()]


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
    """Return the folders that were named, and the encodings of some."""
    try:
        content = json.loads(_memory().read_text(encoding="utf-8"))
        folders, encodings = content["folders"], content.get("encodings", {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
            os.replace(path, path.with_name(f"{_MEMORY}.before"))  # damaged, perhaps of use
        write_json(path, content)
    except OSError as error:
        raise DatasetError(f"'{path}' cannot be written ({error.strerror}).") from error
