"""A text file beside each photo, as tools that fine-tune image generators keep captions.

`1.jpg` is described by `1.txt` or `1.caption`, by `1.jpg.txt`, or by `1.txt` in a folder `captions`
next to that of the photos; each line is a caption.  This program writes captions of many photos in
this form too.
"""

from itertools import islice
from pathlib import Path

from captioning.datasets.adapter import Adapter
from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.photo_files import photo_files, photos_below
from captioning.datasets.text_files import read_lines
from captioning.errors import DatasetError

__all__ = ["ADAPTER", "read_texts_beside"]

_ENDINGS = (".txt", ".caption")
_FOLDERS = ("captions", "texts", "labels")
# Number of photos that decide whether a folder is of this kind.
_LOOKED_AT = 50


def read_texts_beside(
    root: Path, names: tuple[str, ...], oddities: Oddities, encoding: str | None = None
) -> list[Row]:
    """Read a row for each line of the text files beside photos.

    Args:
        root: The folder that the names begin at.
        names: The photos' paths, with forward slashes.
        oddities: Where to say what was guessed; added to.
        encoding: As for `read_text`.

    Raises:
        DatasetError: A text file cannot be read, or is no text.
    """
    rows: list[Row] = []
    remarks: list[str] = []
    for name in names:
        if (path := _text_of(root / name)) is not None:
            lines = [line for line in read_lines(path, encoding, remarks) if line.strip()]
            rows += [Row(name, line) for line in lines or [""]]
    if remarks:
        more = f" So it is with {len(remarks) - 1:,} more." if len(remarks) > 1 else ""
        oddities.decisions.append(remarks[0] + more)
    return rows


def _text_of(photo: Path) -> Path | None:
    beside = [photo.with_suffix(ending) for ending in _ENDINGS]
    beside += [photo.with_name(photo.name + ending) for ending in _ENDINGS]
    beside += [photo.parent.parent / folder / f"{photo.stem}.txt" for folder in _FOLDERS]
    return next((path for path in beside if path.is_file()), None)


def _read(root: Path, encoding: str | None = None) -> CaptionDataset:
    files, oddities = photo_files(root), Oddities()
    rows = read_texts_beside(files.folder, files.names, oddities, encoding)
    if not rows:
        raise DatasetError(f"'{root}' holds no text files next to its photos.")
    photos = assemble_rows(rows, files, root, oddities)
    return CaptionDataset(root.name, root, photos, files.folder, oddities)


def _fits(root: Path) -> bool:
    try:
        return any(_text_of(root / name) for name in islice(photos_below(root), _LOOKED_AT))
    except DatasetError:
        return False


ADAPTER = Adapter(
    name="texts beside photos",
    looked_for="photos with a text file beside each ('1.jpg' and '1.txt')",
    captions="`1.txt` or `1.caption` beside `1.jpg` or in `captions/`, a line a caption, as of "
    "kohya's trainers and of Many photos here",
    photos="anywhere below",
    splits="the folders' names, else drawn",
    inner_folders=frozenset(),
    fits=_fits,
    read=_read,
)
