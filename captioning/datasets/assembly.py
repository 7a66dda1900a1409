"""Putting a data set together from the rows of a caption file, the photos there, and the lists.

Every adapter reads its own files; what counts as odd, and what becomes of it, is decided here
once for all of them.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from captioning.datasets.dataset import Photo
from captioning.datasets.oddities import Oddities
from captioning.errors import DatasetError

__all__ = ["PHOTO_SUFFIXES", "assemble", "is_photo", "photo_names"]

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

# A photo's name with a number behind its ending, such as x.jpg.1
_MISNAMED = re.compile(r"\.(jpe?g|png)\.\d+$", re.IGNORECASE)


def is_photo(name: str) -> bool:
    """Tell from its name whether a file is a photo; hidden files are none."""
    return name.lower().endswith(PHOTO_SUFFIXES) and not name.startswith(".")


def photo_names(folder: Path) -> list[str]:
    """Return the names of the photo files in `folder` in order, leaving out hidden files.

    Raises:
        DatasetError: The folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DatasetError(f"'{folder}' cannot be read ({error.strerror}).") from error
    return sorted(filter(is_photo, names))


def assemble(
    rows: Iterable[tuple[str, str]],
    names: Iterable[str],
    split_of: Mapping[str, str],
    oddities: Oddities,
    captions_each: int | None = 5,
) -> tuple[Photo, ...]:
    """Join captions, photo files and split lists into photos, in the order of their names.

    Only names in `names`, which come from the folder itself, become photos: a caption file
    cannot point anywhere else.

    Args:
        rows: A photo's name and one caption of it, in the order of the caption file.
        names: The photo files there are.
        split_of: The split of each listed name.
        oddities: Where to count what is odd; added to.
        captions_each: How many captions every photo should have; None where that varies.
    """
    captions: dict[str, list[str]] = {name: [] for name in sorted(names)}
    for name, caption in rows:
        caption = caption.strip()
        if name in captions and caption:
            captions[name].append(caption)
        elif name in captions:
            oddities.empty_captions.add(name)
        elif _MISNAMED.search(name):
            oddities.misnamed.add(name)
        else:
            oddities.captions_without_photo.add(name)
    for name in split_of:
        if name not in captions:
            oddities.listed_without_photo.add(name)
    return tuple(
        Photo(
            name,
            tuple(_without_repeats(name, said, oddities, captions_each)),
            # Training and scoring never meet a photo that has nothing to learn or score from.
            split_of.get(name) if said else None,
        )
        for name, said in captions.items()
    )


def _without_repeats(
    name: str, captions: list[str], oddities: Oddities, captions_each: int | None
) -> list[str]:
    """Drop exact repeats, last first, as long as there are more captions than there should be."""
    surplus = len(captions) - captions_each if captions_each else 0
    kept: list[str] = []
    for position in range(len(captions) - 1, -1, -1):
        caption = captions[position]
        if caption not in captions[:position]:
            kept.append(caption)
        elif surplus > 0:
            surplus -= 1
            oddities.repeats_dropped.add(name)
        else:
            oddities.repeats_kept.add(name)
            kept.append(caption)
    if not captions:
        oddities.photos_without_captions.add(name)
    elif captions_each and len(kept) != captions_each:
        oddities.wrong_caption_count.add(name)
    return kept[::-1]
