"""MS-COCO captions (Chen et al. 2015) in their original layout: photos and annotations by year.

`annotations/captions_train2017.json` and `captions_val2017.json` belong to the photos in
`train2017/` and `val2017/`, or in these folders inside `images/`; 2014 likewise.  The captions of
COCO's test photos are not public, so there is no test split: val is "dev".  Other data sets use the
same form of annotation file: photos and captions in two lists, joined by the photo's id.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import photo_files
from captioning.datasets.text_files import read_json
from captioning.errors import DatasetError

_LISTS = re.compile(r'"(images|annotations)"\s*:\s*\[')

_FILE = re.compile(r"captions_(?P<split>train|val)(?P<year>\d{4})\.json")


@dataclass(frozen=True)
class _Part:
    """One annotation file; `photos` is its folder relative to the root, or None if missing."""

    name: str
    captions: Path
    split: str
    photos: str | None


def read_coco(root: Path, encoding: str | None = None) -> CaptionDataset:
    """Read the captions of the latest year that has photos.

    Raises:
        DatasetError: A part is missing, unreadable, or in an unexpected form.
    """
    oddities = Oddities()
    parts = _find(root)
    there = [part for part in parts if part.photos is not None]
    if not there:
        raise DatasetError(f"'{root}' is not {ADAPTER.looked_for}.")
    for part in parts:
        if part.photos is None:
            oddities.decisions.append(
                f"'{part.captions.name}' is skipped: there is no folder '{part.name}' with its "
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
        "COCO's val is the dev split; there is no test split, because the captions of its test "
        "photos are not public (Karpathy's 'dataset_coco.json' defines one)."
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
        if folder is not None and os.path.isdir(folder):
            return folder.relative_to(root).as_posix()
    return None


def has_coco_form(start: str) -> bool:
    """Return whether a file with this beginning has COCO's form, unlike Karpathy's files."""
    is_karpathys = '"sentences"' in start
    by_id = '"images"' in start or '"image_id"' in start
    lists = start.lstrip().startswith("{") and bool(_LISTS.search(start))
    return lists and by_id and not is_karpathys


def read_coco_form(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read one row per caption, under the photo's `file_name`.

    Args:
        path: The file.
        oddities: Receives annotations in another form.
        encoding: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, has another form, or contains no captions.
    """
    content = read_json(path, (), encoding, oddities.decisions)
    try:
        files = {_key(image["id"]): image["file_name"] for image in content["images"]}
        annotations = list(content["annotations"])
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"'{path}' is not an annotation file of COCO: the lists 'images' and "
            "'annotations' are missing or have another form. Download it again."
        ) from error
    rows = []
    for number, annotation in enumerate(annotations, start=1):
        row = _row(annotation, files)
        if row is None:
            oddities.add_unreadable(f"entry {number}")
        else:
            rows.append(row)
    if not rows:
        raise DatasetError(f"'{path}' contains no captions{_reason(annotations, files)}.")
    return rows


def _row(annotation: Any, files: Mapping[str, Any]) -> Row | None:
    try:
        file, caption = files[_key(annotation["image_id"])], annotation["caption"]
    except (KeyError, TypeError):
        return None
    if not isinstance(file, str) or not isinstance(caption, str):
        return None
    return Row(file, caption)


def _key(identity: object) -> str:
    """Return an id as text, so that 7, 7.0, "7" and "007" are equal.

    >>> _key(7.0), _key("007"), _key("a7")
    ('7', '7', 'a7')
    """
    text = str(identity).strip()
    return str(int(float(text))) if re.fullmatch(r"\d{1,15}(\.0+)?", text) else text


def _reason(annotations: list[Any], files: Mapping[str, Any]) -> str:
    ids = (a["image_id"] for a in annotations if isinstance(a, dict) and "image_id" in a)
    first = next(ids, None)
    if first is None or _key(first) in files or not files:
        return ""
    return (
        f": its annotations refer to ids such as '{str(first)[:80]}', but none of these is the "
        f"'id' of a photo in 'images', such as '{next(iter(files))[:80]}'"
    )


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
    fits=lambda root: bool(_find(root)),
    read=read_coco,
)
