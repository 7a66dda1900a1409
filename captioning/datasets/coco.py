"""MS-COCO captions (Chen et al. 2015) as they are handed out: photos and annotations by year.

`annotations/captions_train2017.json` and `captions_val2017.json` belong to the photos in
`train2017/` and `val2017/`, or in these folders inside `images/`; 2014 likewise.  The captions of
COCO's own test photos are not public, so there is no test split: val is "dev".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from captioning.datasets.adapter import Adapter, entries
from captioning.datasets.assembly import assemble_rows
from captioning.datasets.coco_form import read_coco_form
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.photo_files import photo_files
from captioning.errors import DatasetError

__all__ = ["ADAPTER", "read_coco"]

_FILE = re.compile(r"captions_(?P<split>train|val)(?P<year>\d{4})\.json")


@dataclass(frozen=True)
class _Part:
    """One annotation file; `photos` is its folder below the root, None if that is not there."""

    name: str
    captions: Path
    split: str
    photos: str | None


def read_coco(root: Path, encoding: str | None = None) -> CaptionDataset:
    """Read the captions of the newest year whose photos are there.

    Raises:
        DatasetError: A part is missing, unreadable, or not what its name promises.
    """
    oddities = Oddities()
    parts = _find(root)
    there = [part for part in parts if part.photos is not None]
    if not there:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    for part in parts:
        if part.photos is None:
            oddities.decisions.append(
                f"'{part.captions.name}' is left out: there is no folder '{part.name}' with its "
                "photos."
            )
    rows = [
        replace(row, name=f"{part.name}/{row.name}", split=part.split)
        for part in there
        for row in read_coco_form(part.captions, oddities, encoding)
    ]
    files = photo_files(root, [part.photos for part in there if part.photos is not None])
    photos = assemble_rows(rows, files, there[0].captions, oddities)
    oddities.decisions.append(
        "COCO's val is the dev split; there is no test split, since the captions of its test "
        "photos are not public (Karpathy's 'dataset_coco.json' makes one)."
    )
    return CaptionDataset("coco", root, photos, files.folder, oddities)


def _find(root: Path) -> list[_Part]:
    """Return the annotation files of one year, train before val."""
    here = entries(root)
    files = {**here, **(entries(here["annotations"]) if "annotations" in here else {})}
    found: dict[str, list[_Part]] = {}
    for name in sorted(files):
        if match := _FILE.fullmatch(name):
            folder = f"{match['split']}{match['year']}"
            part = _Part(folder, files[name], match["split"], _photo_folder(root, here, folder))
            found.setdefault(match["year"], []).append(part)
    years = sorted(found, reverse=True)
    with_photos = [year for year in years if any(part.photos for part in found[year])]
    return found[with_photos[0]] if with_photos else []


def _photo_folder(root: Path, here: Mapping[str, Path], name: str) -> str | None:
    inside = entries(here["images"]) if "images" in here else {}
    for folder in (here.get(name), inside.get(name)):
        if folder is not None and folder.is_dir():
            return folder.relative_to(root).as_posix()
    return None


def _fits(root: Path) -> bool:
    return bool(_find(root))


ADAPTER = Adapter(
    name="coco",
    looked_for=(
        "MS-COCO captions ('annotations/captions_val2017.json' and the folder 'val2017', or train)"
    ),
    captions="`annotations/captions_train2017.json`, `captions_val2017.json` (or 2014)",
    photos="`train2017/`, `val2017/`, also in `images/`",
    splits="train, and val as dev; no test",
    inner_folders=frozenset(
        {"annotations", *(f"{part}{year}" for part in ("train", "val") for year in (2014, 2017))}
    ),
    fits=_fits,
    read=read_coco,
)
