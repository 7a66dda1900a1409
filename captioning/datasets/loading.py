"""Finding out which data set a folder holds."""

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
    shapes,
)
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import is_photo, photos_below
from captioning.errors import DatasetError

__all__ = ["kind_of", "layouts_table", "load"]

# Asked in this order; one that takes nearly any folder belongs at the end.
_ADAPTERS: tuple[Adapter, ...] = (
    shapes.ADAPTER,
    flickr30k.ADAPTER,
    flickr8k.ADAPTER,
    *karpathy.ADAPTERS,
    coco.ADAPTER,
    descriptions.ADAPTER,
    *captioned_folder.ADAPTERS,
)


def load(folder: str | os.PathLike[str], encoding: str | None = None) -> CaptionDataset:
    """Read the data set in `folder`, whichever kind it is.

    The folder may also be the one above the data set, if it holds no second one, or the one
    inside it that the photos or texts lie in.

    Args:
        folder: Where it lies.
        encoding: That of its caption files, such as "gb18030"; None to find it out.

    Raises:
        DatasetError: The folder is missing, unreadable, a file, or no data set; the text says
            what was looked for.
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
        raise DatasetError(f"'{folder}' holds several data sets ({found}). Name one of them.")
    raise DatasetError(
        f"'{folder}' is not a data set: {_held(root)}. Looked for: "
        f"{'; '.join(dict.fromkeys(adapter.looked_for for adapter in _ADAPTERS))}."
    )


def kind_of(folder: Path) -> str | None:
    """Return the kind of data set a folder, or the only one inside it, looks like; or None.

    Told from the names of files, so it is quick, and whether the data set can be read is only
    known once `load` has done it.
    """
    if adapter := _adapter(folder):
        return adapter.name
    try:
        inside = _inside(folder)
    except OSError:
        return None
    return inside[0][1].name if len(inside) == 1 else None


def layouts_table() -> str:
    """Return the layouts in the order in which they are looked for, as a Markdown table."""
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
    """Say which photos and files a folder holds, of which none is a caption file."""
    photos = sum(1 for _ in islice(photos_below(root), 1000))
    files = [path.name for path in entries(root).values() if path.is_file()]
    others = [f"'{name}'" for name in files if not is_photo(name) and not name.startswith(".")]
    shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
    count = "no photos" if not photos else "photos"
    return f"it holds {count}, and no caption file" + (f" among {shown}" if shown else "")


def _existing(folder: str | os.PathLike[str]) -> Path:
    if not os.fspath(folder).strip():
        raise DatasetError("No folder was named. Give the folder a data set lies in.")
    try:
        root = Path(folder).expanduser().absolute()
        if ".." in root.parts:  # reads badly, and `parent` would not be the folder above
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
            "give the folder."
        )
    raise DatasetError(f"'{folder}' does not exist. Give the folder a data set lies in.")


def _around(root: Path) -> list[Path]:
    """Return the folder itself, and the one above if this looks like a part of a data set."""
    inner = {name for adapter in _ADAPTERS for name in adapter.inner_folders}
    return [root, root.parent] if root.name.lower() in inner else [root]
