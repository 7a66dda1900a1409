"""Detect and read the data set in a folder."""

import os
from itertools import islice
from pathlib import Path

from captioning.datasets import (
    captioned_folder,
    coco,
    descriptions,
    flickr8k,
    flickr30k,
    karpathy,
    parquet,
    shapes,
)
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import is_photo, photos_below
from captioning.errors import DatasetError

# Tried in this order; adapters that accept nearly any folder come last.
_ADAPTERS: tuple[Adapter, ...] = (
    shapes.ADAPTER,
    flickr30k.ADAPTER,
    flickr8k.ADAPTER,
    *karpathy.ADAPTERS,
    coco.ADAPTER,
    descriptions.ADAPTER,
    *captioned_folder.ADAPTERS,
    parquet.ADAPTER,
)


def load(folder: str | os.PathLike[str], encoding: str | None = None) -> CaptionDataset:
    """Read the data set in `folder` and detect its kind.

    The folder may also be the parent of a single data set, or the folder inside it that contains
    the photos or texts.

    Args:
        folder: The folder.
        encoding: Of its caption files, such as "gb18030"; None to detect it.

    Raises:
        DatasetError: The folder is missing, unreadable, a file, or not a data set; the message
            lists the supported layouts.
    """
    root = _existing(folder)
    for candidate in _around(root):
        if adapter := _adapter(candidate):
            return adapter.read(candidate, encoding)
    inside = _inside(root)
    if len(inside) == 1:
        path, adapter = inside[0]
        return adapter.read(path, encoding)
    if inside:
        found = ", ".join(f"'{path.name}'" for path, _ in inside)
        raise DatasetError(f"'{folder}' contains several data sets ({found}). Choose one of them.")
    raise DatasetError(
        f"'{folder}' is not a data set: {_held(root)}. The simplest form is a table "
        "'captions.csv' with the columns 'image' and 'caption', next to the photos. Looked for: "
        f"{'; '.join(dict.fromkeys(adapter.looked_for for adapter in _ADAPTERS))}."
    )


def kind_of(folder: Path) -> str | None:
    """Return the kind of data set in a folder or in its only subfolder; or None.

    It is detected by file names, so it is fast, but only `load` checks whether the data set can be
    read.
    """
    if adapter := _adapter(folder):
        return adapter.name
    try:
        inside = _inside(folder)
    except OSError:
        return None
    return inside[0][1].name if len(inside) == 1 else None


def layouts_table() -> str:
    """Return the supported layouts in the order of detection, as a Markdown table."""
    rows = [
        ("data set", "captions", "photos", "splits"),
        ("---", "---", "---", "---"),
        *((a.name, a.captions, a.photos, a.splits) for a in _ADAPTERS if a.captions),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _adapter(folder: Path) -> Adapter | None:
    return next((adapter for adapter in _ADAPTERS if adapter.fits(folder)), None)


def _inside(root: Path) -> list[tuple[Path, Adapter]]:
    paths = (root / name for name in sorted(os.listdir(root)) if not name.startswith("."))
    folders = [path for path in paths if os.path.isdir(path)]
    return [(path, adapter) for path in folders if (adapter := _adapter(path))]


def _held(root: Path) -> str:
    """Describe the contents of a folder without a caption file."""
    photos = sum(1 for _ in islice(photos_below(root), 1000))
    files = [path.name for path in entries(root).values() if os.path.isfile(path)]
    others = [f"'{name}'" for name in files if not is_photo(name) and not name.startswith(".")]
    shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
    count = "no photos" if not photos else "photos"
    return f"it contains {count}, and no caption file" + (f" among {shown}" if shown else "")


def _existing(folder: str | os.PathLike[str]) -> Path:
    if not os.fspath(folder).strip():
        raise DatasetError("No folder was given. Enter the folder of a data set.")
    try:
        root = Path(os.path.expanduser(folder)).absolute()
        if ".." in root.parts:  # hard to read, and `parent` would not be the parent folder
            root = root.resolve()
        if root.is_dir():
            os.listdir(root)
            return root
        there = root.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise DatasetError(f"'{folder}' cannot be opened ({error}).") from error
    if there:
        raise DatasetError(
            f"'{folder}' is a file; a data set is a folder. If it is an archive, unpack it and "
            "enter the folder."
        )
    raise DatasetError(f"'{folder}' does not exist. Enter the folder of a data set.")


def _around(root: Path) -> list[Path]:
    """Return the folder, and its parent if it looks like a part of a data set."""
    inner = {name for adapter in _ADAPTERS for name in adapter.inner_folders}
    return [root, root.parent] if root.name.lower() in inner else [root]
