"""One folder a split, as Hugging Face's image folders are: `train/metadata.csv`, `test/...`."""

from dataclasses import replace
from pathlib import Path

from captioning.datasets import text_beside
from captioning.datasets.adapter import Adapter, entries
from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.captioned_folder import FORMS, caption_files, read_rows
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.photo_files import holds_photos, photo_files
from captioning.datasets.splitting import known_split
from captioning.errors import DatasetError

__all__ = ["ADAPTER"]


def _parts(root: Path) -> dict[str, Path]:
    """Return the folders named after a split that have captions and photos, by their names."""
    named = [path for name, path in entries(root).items() if known_split(name) and path.is_dir()]
    return {path.name: path for path in named if _has_captions(path) and holds_photos(path)}


def _has_captions(part: Path) -> bool:
    return any(caption_files(part, form) for form in FORMS) or text_beside.ADAPTER.fits(part)


def _read_part(part: Path, oddities: Oddities, encoding: str | None) -> list[Row]:
    for form in FORMS:
        if files := caption_files(part, form):
            return read_rows(part, files, form, oddities, encoding)
    found = photo_files(part)
    below = found.folder.relative_to(part).as_posix()
    rows = text_beside.read_texts_beside(found.folder, found.names, oddities, encoding)
    return [replace(row, name=f"{below}/{row.name}") for row in rows]


def _read(root: Path, encoding: str | None = None) -> CaptionDataset:
    parts, oddities = _parts(root), Oddities()
    if not parts:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    rows = []
    for folder, part in parts.items():
        for row in _read_part(part, oddities, encoding):
            name = f"{folder}/{row.name.removeprefix('./')}"
            rows.append(Row(name, row.caption, row.split or known_split(folder)))
    files = photo_files(root, list(parts))
    photos = assemble_rows(rows, files, root, oddities)
    return CaptionDataset(root.name, root, photos, files.folder, oddities)


def _fits(root: Path) -> bool:
    return len(_parts(root)) > 1


ADAPTER = Adapter(
    name="folder a split",
    looked_for="folders 'train', 'val' and 'test' with photos and a caption file each",
    captions="any of these forms in each of `train/`, `val/` (`dev/`, `validation/`) and `test/`",
    photos="in the same folders",
    splits="the folders' names",
    inner_folders=frozenset(),
    fits=_fits,
    read=_read,
)
