"""Flickr8k (Hodosh, Young and Hockenmaier 2013) as it is found on disks, in either layout.

Kaggle's copy is `Images/` beside `captions.txt`; the classic one is `Flicker8k_Dataset/` beside
`Flickr8k_text/` with the token file and the three split lists.  Where both caption files are
there, the classic one is read: it is the original, and its rows are numbered.  Both give the same
captions in the same order.

The split lists are those of the folder if all three are there, and otherwise the official ones
(6,000, 1,000 and 1,000 photos), whose file names come with this package.  Other photos in one of
these layouts, which many a data set has copied, make a data set of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.adapter import Adapter, entries
from captioning.datasets.assembly import assemble
from captioning.datasets.captionfile import read_table, read_token_file
from captioning.datasets.data_issues import Oddities, Tally
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.photofiles import find_photo_folder, photo_names
from captioning.datasets.splitting import split_by_names
from captioning.datasets.textfile import read_lines
from captioning.errors import DatasetError
from captioning.image_formats import ENDINGS

__all__ = ["ADAPTER", "official_splits", "read_flickr8k"]

CAPTIONS_EACH = 5

_PHOTO_FOLDERS = ("images", "flicker8k_dataset", "flickr8k_dataset")
_TEXT_FOLDER = "flickr8k_text"
_TOKEN_FILE = "flickr8k.token.txt"  # noqa: S105 (a file's name, no secret)
_KAGGLE_FILE = "captions.txt"
_LISTS = {s: f"flickr_8k.{s}images.txt" for s in ("train", "dev", "test")}
_OFFICIAL = {s: Path(__file__).parent / "splits" / f"flickr8k_{s}.txt" for s in _LISTS}


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
        raise DatasetError(f"'{layout.photos}' holds no photos ({', '.join(ENDINGS)}).")
    oddities = Oddities()
    read_rows = read_token_file if layout.classic else read_table
    rows = [(r.name, r.caption) for r in read_rows(layout.captions, oddities.unreadable_rows)]
    if not layout.lists and official_splits().keys().isdisjoint(names):
        splits = split_by_names(names, oddities)
        photos = assemble(rows, names, splits, oddities, captions_each=None)
        return CaptionDataset(root.name, root, photos, layout.photos, oddities)
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
    photos = find_photo_folder(here, _PHOTO_FOLDERS)
    captions = around.get(_TOKEN_FILE) or here.get(_KAGGLE_FILE)
    if photos is None or captions is None:
        return None
    lists = {split: around[name] for split, name in _LISTS.items() if name in around}
    complete = lists if len(lists) == len(_LISTS) else {}
    return _Layout(photos, captions, captions.name.lower() == _TOKEN_FILE, complete)


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
