"""The generated data set: coloured shapes with a size, a position, and a relation to each other.

It needs no download and no licence, and its captions are correct by construction, so a small model
learns it in minutes.  Drawing and writing use only integers (no fonts, no floating-point edges, no
compressor that differs by version): the same seed gives the same bytes everywhere.

A folder of shapes has `shapes.json` next to `Images/`.
"""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from captioning.datasets.assembly import assemble
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import SPLITS, Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import photo_names
from captioning.datasets.shapes.drawing import paint
from captioning.datasets.shapes.scene import CAPTIONS_EACH, describe, draw_lots
from captioning.errors import DatasetError
from captioning.storage import read_regular_file, write_text

__all__ = ["ADAPTER", "generate_shapes"]

MAX_COUNT = 100_000

_INDEX = "shapes.json"
_MOST_BYTES = 256_000_000
_PHOTOS = "Images"
_PHOTO_NAME = re.compile(r"shapes_\d{5}\.png")
_FORMAT_VERSION = 1


def generate_shapes(folder: str | os.PathLike[str], *, count: int, seed: int) -> CaptionDataset:
    """Draw `count` pictures with five captions each into `folder`, and read them back.

    The same count and seed give the same bytes on every machine, and a larger count adds pictures
    without changing the first ones.  Of every ten pictures, eight are for training, the ninth for
    dev, the tenth for test.

    Args:
        folder: The folder; created if missing.  Earlier shapes in it are replaced.
        count: Number of pictures, 1 to 100,000 (10 kB each).
        seed: Random seed, 0 or more.

    Raises:
        DatasetError: A number is out of range, the folder contains other files, or it cannot be
            written.
    """
    if not 1 <= count <= MAX_COUNT:
        raise DatasetError(f"A count of {count:,} is out of range: 1 to {MAX_COUNT:,} shapes.")
    if seed < 0:
        raise DatasetError(f"A seed of {seed} is out of range: it must be 0 or more.")
    root = Path(os.path.expanduser(folder)).absolute()
    try:
        _clear(root)
        index = {"format_version": _FORMAT_VERSION, "count": count, "seed": seed}
        photos = [_write_photo(root / _PHOTOS, number, seed) for number in range(count)]
        # Written last: a folder with an index is complete.
        text = json.dumps({**index, "photos": photos}, indent=1) + "\n"
        write_text(root / _INDEX, text)
    except OSError as error:
        raise DatasetError(
            f"The shapes cannot be written to '{folder}' ({error.strerror})."
        ) from error
    return read_shapes(root)


def read_shapes(root: Path, _encoding: str | None = None) -> CaptionDataset:
    """Read a folder that `generate_shapes` wrote; its text is always ASCII.

    Raises:
        DatasetError: Its index is missing, damaged, or has another format version.
    """
    index = _read_index(root / _INDEX)
    oddities = Oddities()
    try:
        photos = index["photos"]
        rows = [(str(p["name"]), str(caption)) for p in photos for caption in p["captions"]]
        split_of = {str(p["name"]): p["split"] for p in photos}
        damaged = not set(split_of.values()) <= set(SPLITS)
    except (KeyError, TypeError):
        damaged = True
    if damaged:
        raise DatasetError(f"'{root / _INDEX}' is damaged. Generate the shapes again.")
    names = photo_names(root / _PHOTOS)
    joined = assemble(rows, names, split_of, oddities, CAPTIONS_EACH)
    return CaptionDataset("shapes", root, joined, root / _PHOTOS, oddities)


def _write_photo(folder: Path, number: int, seed: int) -> dict[str, Any]:
    # A separate random generator per picture, so that pictures are independent of each other.
    rng = Random(f"shapes/{seed}/{number}")  # noqa: S311 (not used for security)
    scene = draw_lots(rng)
    name = f"shapes_{number:05d}.png"
    (folder / name).write_bytes(paint(scene))
    return {
        "name": name,
        "split": {8: "dev", 9: "test"}.get(number % 10, "train"),
        "captions": describe(scene, rng),
        "figures": [asdict(figure) for figure in scene.figures],
    }


def _clear(root: Path) -> None:
    """Create the folders, and remove only earlier shapes."""
    photos = root / _PHOTOS
    photos.mkdir(parents=True, exist_ok=True)
    old = [path for path in photos.iterdir() if _PHOTO_NAME.fullmatch(path.name)]
    ours = (_INDEX, _PHOTOS)
    # The partial index of a killed process ends in .part.
    others = [p.name for p in root.iterdir() if p.name not in ours and p.suffix != ".part"]
    others += [p.name for p in photos.iterdir() if not _PHOTO_NAME.fullmatch(p.name)]
    if others:
        raise DatasetError(
            f"'{root}' contains other files (such as {min(others)}). Choose a new or empty "
            "folder for the shapes."
        )
    for path in (root / _INDEX, *old):
        path.unlink(missing_ok=True)


def _read_index(path: Path) -> Any:
    try:
        index = json.loads(read_regular_file(path, _MOST_BYTES))
        version = index["format_version"]
    except OSError as error:
        raise DatasetError(f"'{path}' cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(f"'{path}' is damaged. Generate the shapes again.") from error
    if version != _FORMAT_VERSION:
        raise DatasetError(
            f"'{path}' has format version {version}; this program reads {_FORMAT_VERSION}. "
            "Generate the shapes again."
        )
    return index


ADAPTER = Adapter(
    name="shapes",
    looked_for=f"generated shapes ('{_INDEX}' next to '{_PHOTOS}')",
    captions="`shapes.json`",
    photos="`Images/`",
    splits="8, 1 and 1 of every ten pictures",
    inner_folders=frozenset({_PHOTOS.lower()}),
    fits=lambda root: _INDEX in entries(root),
    read=read_shapes,
)
