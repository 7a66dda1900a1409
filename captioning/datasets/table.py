"""Anybody's own photos: a folder with a CSV or TSV file that names photos and captions them.

The photos lie beside the table or in folders below it.  Which columns hold the name, the caption
and the split is told by their names; without a split, one is drawn from each photo's name.
"""

from pathlib import Path

from captioning.datasets.adapter import Adapter
from captioning.datasets.assembly import assemble_rows
from captioning.datasets.caption_files import has_table, read_table
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.photo_files import holds_photos, photo_files
from captioning.datasets.text_files import read_start
from captioning.errors import DatasetError

__all__ = ["ADAPTER", "read_captioned_folder"]

_SUFFIXES = (".csv", ".tsv")
_TEXT_NAMES = ("captions.txt", "caption.txt")
# A table is looked for under these names first, where a folder holds several.
_LIKELY = ("captions", "caption", "metadata", "annotations", "labels", "results")


def read_captioned_folder(root: Path, encoding: str | None = None) -> CaptionDataset:
    """Read a folder of photos with a table of captions.

    Raises:
        DatasetError: There is no table or no photo, the table cannot be read or lacks a column,
            or it names none of the photos.
    """
    tables = _tables(root)
    if not tables:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    # If none has the columns, reading the likeliest says what it lacks.
    table = next((path for path in tables if has_table(read_start(path))), tables[0])
    oddities = Oddities()
    if len(tables) > 1:
        others = ", ".join(f"'{path.name}'" for path in tables if path != table)
        oddities.decisions.append(f"The captions are read from '{table.name}', not from {others}.")
    rows = read_table(table, oddities, encoding)
    files = photo_files(root)
    photos = assemble_rows(rows, files, table, oddities)
    return CaptionDataset(root.name, root, photos, files.folder, oddities)


def _tables(root: Path) -> list[Path]:
    """Return the files that may be the table, the likeliest first."""
    try:
        files = sorted(path for path in root.iterdir() if path.is_file())
    except OSError:
        return []
    tables = [
        path
        for path in files
        if not path.name.startswith(".")
        and (path.suffix.lower() in _SUFFIXES or path.name.lower() in _TEXT_NAMES)
    ]
    return sorted(tables, key=lambda path: path.stem.lower() not in _LIKELY)


def _fits(root: Path) -> bool:
    return bool(_tables(root)) and holds_photos(root)


ADAPTER = Adapter(
    name="captioned folder",
    looked_for="photos with a CSV or TSV file that has the columns 'image' and 'caption'",
    inner_folders=frozenset(),
    fits=_fits,
    read=read_captioned_folder,
)
