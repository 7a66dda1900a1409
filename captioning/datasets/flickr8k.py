"""Flickr8k (Hodosh, Young and Hockenmaier 2013) as it is found on disks, in either layout.

Kaggle's copy is `Images/` beside `captions.txt`; the classic one is `Flicker8k_Dataset/` beside
`Flickr8k_text/` with the token file and the three split lists.  Where both caption files are
there, the classic one is read: it is the original, and its rows are numbered.  Both give the same
captions in the same order.

The split lists are those of the folder if all three are there, and otherwise the official ones
(6,000, 1,000 and 1,000 photos), whose file names come with this package.
"""

import csv
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.adapter import Adapter, entries
from captioning.datasets.assembly import PHOTO_SUFFIXES, assemble, is_photo, photo_names
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.oddities import Oddities, Tally
from captioning.datasets.textfile import read_lines
from captioning.errors import DatasetError

__all__ = ["ADAPTER", "official_splits", "read_flickr8k"]

CAPTIONS_EACH = 5

_PHOTO_FOLDERS = ("images", "flicker8k_dataset", "flickr8k_dataset")
_TEXT_FOLDER = "flickr8k_text"
_TOKEN_FILE = "flickr8k.token.txt"  # noqa: S105 (a file's name, no secret)
_KAGGLE_FILE = "captions.txt"
_LISTS = {s: f"flickr_8k.{s}images.txt" for s in ("train", "dev", "test")}
_OFFICIAL = {s: Path(__file__).parent / "splits" / f"flickr8k_{s}.txt" for s in _LISTS}

_TOKEN_ROW = re.compile(r"(?P<name>.+?)#\d+\t(?P<caption>.*)")


@dataclass(frozen=True)
class _Layout:
    """Where the parts of a copy lie; `lists` is empty unless all three are there."""

    photos: Path
    captions: Path
    classic: bool
    lists: Mapping[str, Path]


def read_flickr8k(root: Path) -> CaptionDataset:
    """Read a copy of Flickr8k whose parts lie in `root`, in either layout.

    Raises:
        DatasetError: A part is missing, unreadable, or not what its name promises.
    """
    layout = _find(root)
    if layout is None:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    names = photo_names(layout.photos)
    if not names:
        raise DatasetError(f"'{layout.photos}' holds no photos ({', '.join(PHOTO_SUFFIXES)}).")
    oddities = Oddities()
    rows_of = _token_rows if layout.classic else _kaggle_rows
    rows = rows_of(layout.captions, oddities.unreadable_rows)
    splits = _splits(layout.lists, names, oddities)
    photos = assemble(rows, names, splits, oddities, CAPTIONS_EACH)
    return CaptionDataset("flickr8k", root, photos, layout.photos, oddities)


def official_splits() -> dict[str, str]:
    """Return the split of each of the 8,000 photos in Flickr8k's official lists."""
    return _read_lists(_OFFICIAL, Tally())


def _find(root: Path) -> _Layout | None:
    here = entries(root)
    text = entries(here[_TEXT_FOLDER]) if _TEXT_FOLDER in here else {}
    deeper = entries(text[_TEXT_FOLDER]) if _TEXT_FOLDER in text else {}
    # The archive of the texts unpacks without a folder of its own, so they may lie in the root,
    # or one folder deeper than they should.
    around = {**here, **deeper, **text}
    photos = _photo_folder(here)
    captions = around.get(_TOKEN_FILE) or here.get(_KAGGLE_FILE)
    if photos is None or captions is None:
        return None
    lists = {split: around[name] for split, name in _LISTS.items() if name in around}
    complete = lists if len(lists) == len(_LISTS) else {}
    return _Layout(photos, captions, captions.name.lower() == _TOKEN_FILE, complete)


def _photo_folder(here: Mapping[str, Path]) -> Path | None:
    """Return the folder of the photos, which some copies nest in another of such a name."""
    outer = [here[name] for name in _PHOTO_FOLDERS if name in here and os.path.isdir(here[name])]
    for folder in outer:
        if _holds_photos(folder):
            return folder
        inner = entries(folder)
        for name in _PHOTO_FOLDERS:
            if name in inner and _holds_photos(inner[name]):
                return inner[name]
    return next(iter(outer), None)


def _holds_photos(folder: Path) -> bool:
    try:
        return any(map(is_photo, os.listdir(folder)))
    except OSError:
        return False


def _token_rows(path: Path, unreadable: Tally) -> list[tuple[str, str]]:
    """Read rows of the form `photo.jpg#0<TAB>caption`."""
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if match := _TOKEN_ROW.fullmatch(line):
            rows.append((match["name"].strip(), match["caption"]))
        else:
            unreadable.add(f"line {number}")
    if not rows:
        raise DatasetError(
            f"'{path}' holds no captions: none of its lines has the form 'photo.jpg#0', a tab, "
            "and the caption."
        )
    return rows


def _kaggle_rows(path: Path, unreadable: Tally) -> list[tuple[str, str]]:
    """Read the CSV: a header, then `photo.jpg,caption`, the caption quoted if it has commas."""
    lines = read_lines(path)
    header = [name.strip().lower() for name in (_cells(lines[0]) if lines else [])]
    if "image" in header and "caption" in header:
        columns, start = (header.index("image"), header.index("caption")), 1
    elif header and is_photo(header[0]):
        header, columns, start = ["image", "caption"], (0, 1), 0
    else:
        raise DatasetError(
            f"'{path}' does not begin with the header 'image,caption' but with "
            f"'{lines[0][:80] if lines else ''}'. It may be the caption file of another data set."
        )
    rows = []
    for number, line in enumerate(lines[start:], start=start + 1):
        row = _kaggle_row(line, len(header), *columns)
        if row is None:
            unreadable.add(f"line {number}")
        else:
            rows.append(row)
    if not rows:
        raise DatasetError(f"'{path}' holds no captions: there is no row below its header.")
    return rows


def _kaggle_row(line: str, width: int, image: int, caption: int) -> tuple[str, str] | None:
    cells = _cells(line)
    if len(cells) > width == caption + 1:
        # Some copies leave captions with commas unquoted; they are the last column.
        cells[caption:] = [",".join(cells[caption:])]
    if len(cells) != width or not _is_name(cells[image]):
        return None
    return cells[image].strip(), cells[caption]


def _is_name(text: str) -> bool:
    """Tell a file's name, also one with a number behind its ending, from other text."""
    return any(suffix in text.lower() for suffix in PHOTO_SUFFIXES)


def _cells(line: str) -> list[str]:
    """Split one line; read line by line, an unclosed quote cannot swallow the rows below it."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _splits(lists: Mapping[str, Path], names: Iterable[str], oddities: Oddities) -> dict[str, str]:
    official = official_splits()
    if not lists:
        return official
    own = _read_lists(lists, oddities.listed_twice)
    for name in names:
        if own.get(name) != official.get(name):
            oddities.lists_differ.add(name)
    return own


def _read_lists(lists: Mapping[str, Path], twice: Tally) -> dict[str, str]:
    """Read train, then dev, then test: a photo in two lists must not be trained on."""
    split_of: dict[str, str] = {}
    for split in ("train", "dev", "test"):
        for line in read_lines(lists[split]):
            name = line.strip()
            if not name:
                continue
            if split_of.get(name, split) != split:
                twice.add(name)
            split_of[name] = split
    return split_of


def _fits(root: Path) -> bool:
    return _find(root) is not None


ADAPTER = Adapter(
    name="flickr8k",
    looked_for=(
        "Flickr8k (a folder 'Images' beside 'captions.txt', or 'Flicker8k_Dataset' beside "
        "'Flickr8k_text' with 'Flickr8k.token.txt')"
    ),
    inner_folders=frozenset({*_PHOTO_FOLDERS, _TEXT_FOLDER}),
    fits=_fits,
    read=read_flickr8k,
)
