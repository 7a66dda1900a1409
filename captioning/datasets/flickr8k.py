"""Flickr8k (Hodosh, Young and Hockenmaier 2013), in both common layouts.

Kaggle's copy has `Images/` next to `captions.txt`; the classic one has `Flicker8k_Dataset/` next to
`Flickr8k_text/` with the token file and the three split lists.  If both caption files exist, the
classic one is read: it is the original, and its rows are numbered.  Both give the same captions in
the same order.

The splits are those of the folder's lists if all three exist, else those of a column 'split', else
the official ones (6,000, 1,000 and 1,000 photos), whose file names are part of this package.  Many
other data sets use one of these layouts; their photos form a separate data set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import find_photo_folder, photo_files
from captioning.datasets.splitting import official_splits, read_split_lists
from captioning.datasets.tables import read_table
from captioning.datasets.token_files import read_token_file
from captioning.errors import DatasetError

CAPTIONS_EACH = 5

_PHOTO_FOLDERS = ("images", "flicker8k_dataset", "flickr8k_dataset")
_TEXT_FOLDER = "flickr8k_text"
_TOKEN_FILE = "flickr8k.token.txt"  # noqa: S105 (a file's name, no secret)
_KAGGLE_FILE = "captions.txt"
_LISTS = {s: f"flickr_8k.{s}images.txt" for s in ("train", "dev", "test")}


@dataclass(frozen=True)
class _Layout:
    """The paths of a copy's parts; `lists` is empty unless all three exist."""

    photos: Path
    captions: Path
    classic: bool
    lists: Mapping[str, Path]


def read_flickr8k(root: Path, encoding: str | None = None) -> CaptionDataset:
    """Read a copy of Flickr8k in `root`, in either layout.

    Raises:
        DatasetError: A part is missing, unreadable, or in an unexpected form.
    """
    layout = _find(root)
    if layout is None:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    files = photo_files(layout.photos)
    oddities = Oddities()
    read_rows = read_token_file if layout.classic else read_table
    rows = read_rows(layout.captions, oddities, encoding)
    names = [name.rsplit("/", 1)[-1] for name in files.names]
    lists = _split_lists(layout.lists, rows, names, oddities)
    official = bool(layout.lists) or not official_splits().keys().isdisjoint(names)
    name, captions_each = ("flickr8k", CAPTIONS_EACH) if official else (root.name, None)
    photos = assemble_rows(rows, files, layout.captions, oddities, captions_each, lists)
    return CaptionDataset(name, root, photos, files.folder, oddities)


def _find(root: Path) -> _Layout | None:
    here = entries(root)
    text = entries(here[_TEXT_FOLDER]) if _TEXT_FOLDER in here else {}
    deeper = entries(text[_TEXT_FOLDER]) if _TEXT_FOLDER in text else {}
    # The archive of the texts has no top folder, so they may be in the root, or one folder deeper
    # than usual.
    around = {**here, **deeper, **text}
    photos = find_photo_folder(here, _PHOTO_FOLDERS)
    captions = around.get(_TOKEN_FILE) or here.get(_KAGGLE_FILE)
    if photos is None or captions is None:
        return None
    lists = {split: around[name] for split, name in _LISTS.items() if name in around}
    complete = lists if len(lists) == len(_LISTS) else {}
    return _Layout(photos, captions, captions.name.lower() == _TOKEN_FILE, complete)


def _split_lists(
    lists: Mapping[str, Path], rows: Sequence[Row], names: Sequence[str], oddities: Oddities
) -> Mapping[str, str] | None:
    official = official_splits()
    if not lists:
        own_column = any(row.split for row in rows)
        return None if own_column or official.keys().isdisjoint(names) else official
    own = read_split_lists(lists, oddities.listed_twice)
    for name in names:
        if own.get(name) != official.get(name):
            oddities.lists_differ.add(name)
    return own


ADAPTER = Adapter(
    name="flickr8k",
    looked_for=(
        "Flickr8k (a folder 'Images' next to 'captions.txt', or 'Flicker8k_Dataset' next to "
        "'Flickr8k_text' with 'Flickr8k.token.txt')"
    ),
    captions="`captions.txt`, or `Flickr8k_text/Flickr8k.token.txt`",
    photos="`Images/` or `Flicker8k_Dataset/` (also nested)",
    splits="the folder's lists, else a column, else the official ones; drawn for other photos",
    inner_folders=frozenset({*_PHOTO_FOLDERS, _TEXT_FOLDER}),
    fits=lambda root: _find(root) is not None,
    read=read_flickr8k,
)
