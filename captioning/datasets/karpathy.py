"""The caption and split files of Karpathy and Li (2015) for three data sets.

`dataset_flickr8k.json`, `dataset_flickr30k.json` and `dataset_coco.json` contain all captions, and
the splits that nearly all papers on Flickr30k and COCO use.  They are next to the photos, or in a
folder `karpathy`, `caption_datasets` or `annotations` there.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import holds_photos, photo_files
from captioning.datasets.text_files import read_json
from captioning.errors import DatasetError

_FOLDERS = ("karpathy", "caption_datasets", "annotations")


@dataclass(frozen=True)
class _Kind:
    """One of the three data sets: its captions per photo, and the folders of its photos."""

    name: str
    captions_each: int | None
    photo_folders: tuple[str, ...]
    photos_text: str = "anywhere below"


_KINDS = (
    _Kind("flickr8k", 5, ("flicker8k_dataset", "flickr8k_dataset")),
    _Kind("flickr30k", 5, ("flickr30k_images", "flickr30k-images")),
    _Kind(
        "coco",
        None,
        ("train2014", "val2014"),
        "`train2014/` and `val2014/`, or the same photos in 2017's folders, also in `images/`",
    ),
)


def find_karpathy_file(root: Path, name: str) -> Path | None:
    """Return the path of the file for the data set `name` in `root`, or None."""
    here = entries(root)
    places = [here, *(entries(here[folder]) for folder in _FOLDERS if folder in here)]
    return next((p[file] for p in places if (file := f"dataset_{name}.json") in p), None)


def read_karpathy_file(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read one row per caption, with its split; the name is `folder/photo.jpg` for COCO.

    Args:
        path: The file.
        oddities: Receives entries in another form.
        encoding: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, is not JSON, or contains no captions.
    """
    content = read_json(path, ("tokens",), encoding, oddities.decisions)
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        raise DatasetError(
            f"'{path}' is not one of Karpathy's files: it has no list of 'images'. Download it "
            "again."
        )
    rows: list[Row] = []
    for number, image in enumerate(images, start=1):
        try:
            rows += _rows(image)
        except (KeyError, TypeError, AttributeError):
            oddities.add_unreadable(f"entry {number}")
    if not rows:
        raise DatasetError(f"'{path}' contains no captions: none of its entries has any.")
    return rows


def _rows(image: Mapping[str, Any]) -> list[Row]:
    folder, file, split = image.get("filepath") or "", image["filename"], image.get("split")
    name = f"{folder}/{file}" if folder else file
    sentences = [sentence["raw"] for sentence in image["sentences"]]
    if not all(isinstance(text, str) for text in (name, *sentences, split or "")):
        raise TypeError
    return [Row(name, sentence, split) for sentence in sentences]


def _read(kind: _Kind, root: Path, encoding: str | None = None) -> CaptionDataset:
    source = find_karpathy_file(root, kind.name)
    if source is None:
        raise DatasetError(f"'{root}' contains no file 'dataset_{kind.name}.json'.")
    oddities = Oddities()
    rows = read_karpathy_file(source, oddities, encoding)
    files = photo_files(root, _folders_of(root, rows))
    photos = assemble_rows(rows, files, source, oddities, kind.captions_each)
    return CaptionDataset(kind.name, root, photos, files.folder, oddities)


def _folders_of(root: Path, rows: Sequence[Row]) -> list[str]:
    """Return the folders that the rows name, or the whole root if they are missing.

    COCO has photos of other years, and photos without captions, in sibling folders.
    """
    named = {row.name.rpartition("/")[0] for row in rows}
    for above in ("", "images"):
        inside = sorted(f"{above}/{name}".strip("/") for name in named if name)
        there = [folder for folder in inside if os.path.isdir(root / folder)]
        if there and ".." not in "/".join(there):
            return there
    return [""]


def _fits(kind: _Kind, root: Path) -> bool:
    """Identify a data set by its file, or by its photo folder if all three files exist."""
    if find_karpathy_file(root, kind.name) is None:
        return False
    if sum(find_karpathy_file(root, other.name) is not None for other in _KINDS) == 1:
        return holds_photos(root)
    here = entries(root)
    inside = entries(here["images"]) if "images" in here else {}
    return any(folder in here or folder in inside for folder in kind.photo_folders)


ADAPTERS = tuple(
    Adapter(
        name=kind.name,
        looked_for=f"photos and Karpathy's 'dataset_{kind.name}.json'",
        captions=f"`dataset_{kind.name}.json`, also in `karpathy/`, `caption_datasets/` or "
        "`annotations/`",
        photos=kind.photos_text,
        splits="in the file; `restval` is train, `val` is dev",
        inner_folders=frozenset({"karpathy", "caption_datasets"}),
        fits=partial(_fits, kind),
        read=partial(_read, kind),
    )
    for kind in _KINDS
)
