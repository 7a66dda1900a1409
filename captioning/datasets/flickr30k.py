"""Flickr30k (Young et al. 2014) in its common layouts.

Captions are in the original `results_20130124.token`, in `results.csv` with bars between the
columns, in Hugging Face's `flickr_annotations_30k.csv`, or in a `captions.txt`; the photos are in
`flickr30k_images`, `flickr30k-images` or `Images`, next to the table or in its parent folder.  The
splits are Karpathy's (29,000, 1,014 and 1,000 photos) if `dataset_flickr30k.json` or a column
contains them, and otherwise drawn by name.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.karpathy import find_karpathy_file, read_karpathy_file
from captioning.datasets.photo_files import find_photo_folder, holds_photos, photo_files
from captioning.datasets.tables import read_table
from captioning.datasets.token_files import read_token_file
from captioning.errors import DatasetError
from captioning.storage import open_regular_file

CAPTIONS_EACH = 5

_PHOTO_FOLDERS = ("flickr30k_images", "flickr30k-images", "images")
_TOKEN_FILE = "results_20130124.token"  # noqa: S105 (a file's name, no secret)
_CAPTION_FILES = (
    *(_TOKEN_FILE, "results.csv", "flickr_annotations_30k.csv", "captions.txt", "captions.csv"),
)
_CERTAIN = _CAPTION_FILES[:3]
# Flickr8k's `captions.txt` differs only in the names: its photos are 123_4567abcdef.jpg.
_COPIED_HEADER = re.compile(r"image(_name)?\s*[,|]\s*comment_number\s*[,|]\s*comment")
_NUMBERED_PHOTO = re.compile(r"\d{8,}\.jpg,")
# One row of results.csv lacks the bar after the caption number.
_LOST_BAR = re.compile(r"\s*(\d)\s+(\S.*)")


def read_flickr30k(root: Path, encoding: str | None = None) -> CaptionDataset:
    """Read a copy of Flickr30k in `root`.

    Raises:
        DatasetError: A part is missing, unreadable, or in an unexpected form.
    """
    found = _find(root)
    if found is None:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    folder, captions = found
    oddities = Oddities()
    if captions.name.lower() == _TOKEN_FILE:
        rows = read_token_file(captions, oddities, encoding)
    else:
        rows = read_table(captions, oddities, encoding, mend=_with_bar)
    lists = find_karpathy_file(root, "flickr30k")
    if lists is not None:
        rows = _with_splits(rows, read_karpathy_file(lists, Oddities()))
    files = photo_files(folder)
    photos = assemble_rows(rows, files, captions, oddities, CAPTIONS_EACH)
    return CaptionDataset("flickr30k", root, photos, files.folder, oddities)


def _find(root: Path) -> tuple[Path, Path] | None:
    """Return the folder of the photos and the caption file."""
    here = entries(root)
    photos = find_photo_folder(here, _PHOTO_FOLDERS)
    if photos is None and any(name in here for name in _CERTAIN) and holds_photos(root):
        photos = root
    if photos is None:
        return None
    among = {name: photos / name for name in _CAPTION_FILES if os.path.isfile(photos / name)}
    around = {**among, **here}
    for name in _CAPTION_FILES:
        if name in around and (name in _CERTAIN or _is_flickr30k(around[name])):
            return photos, around[name]
    return None


def _is_flickr30k(captions: Path) -> bool:
    """Distinguish Flickr30k's table from others with that name by its first two lines."""
    try:
        with open_regular_file(captions) as file:
            header, first = file.readline(200), file.readline(2000)
    except OSError:
        return False
    names = header.decode("utf-8-sig", errors="replace").strip().lower()
    row = first.decode("utf-8", errors="replace")
    return bool(_COPIED_HEADER.fullmatch(names) or _NUMBERED_PHOTO.match(row))


def _with_bar(cells: list[str]) -> list[str]:
    """Separate number and caption in a row that lacks the bar between them."""
    match = _LOST_BAR.fullmatch(cells[-1]) if len(cells) == 2 else None
    return [cells[0], *match.groups()] if match else cells


def _with_splits(rows: Sequence[Row], listed: Sequence[Row]) -> list[Row]:
    split_of = {row.name: row.split for row in listed}
    return [replace(row, split=split_of.get(row.name)) for row in rows]


ADAPTER = Adapter(
    name="flickr30k",
    looked_for=(
        "Flickr30k (a folder 'flickr30k_images' next to 'results.csv' or 'results_20130124.token')"
    ),
    captions="`results_20130124.token`, `results.csv` with bars, `flickr_annotations_30k.csv`, or "
    "`captions.txt`",
    photos="`flickr30k_images/`, `flickr30k-images/`, `Images/` (also nested), or none",
    splits="`dataset_flickr30k.json` if it exists, else a column, else drawn",
    inner_folders=frozenset(_PHOTO_FOLDERS[:2]),
    fits=lambda root: _find(root) is not None,
    read=read_flickr30k,
)
