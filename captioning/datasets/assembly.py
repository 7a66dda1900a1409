"""Putting a data set together from the rows of a caption file, the photos there, and the lists.

Every adapter reads its own files; what counts as odd, and what becomes of it, is decided here
once for all of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import SPLITS, Photo
from captioning.datasets.photofiles import PhotoFiles
from captioning.datasets.splitting import known_split, split_by_names
from captioning.errors import DatasetError

__all__ = ["Row", "assemble", "assemble_rows"]

# A photo's name with a number behind its ending, such as x.jpg.1
_MISNAMED = re.compile(r"\.(jpe?g|png)\.\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One caption as a file gives it.

    Attributes:
        name: What the file calls the photo.
        caption: As it was written.
        split: The word the file has for the photo's split; None where it has none.
    """

    name: str
    caption: str
    split: str | None = None


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


def assemble_rows(
    rows: Sequence[Row],
    files: PhotoFiles,
    source: Path,
    oddities: Oddities,
    captions_each: int | None = None,
) -> tuple[Photo, ...]:
    """Join rows and the photo files they mean into photos; draw the splits if no row has one.

    Args:
        rows: One per caption, in the order of the caption file.
        files: The photo files there are.
        source: The caption file, for the sentence that says what is wrong.
        oddities: Where to count what is odd; added to.
        captions_each: How many captions every photo should have; None where that varies.

    Raises:
        DatasetError: No row means any of the photos.
    """
    names = dict.fromkeys(row.name for row in rows)
    located = {name: _locate(name, files, oddities) for name in names}
    if set(files.names).isdisjoint(located.values()):
        raise DatasetError(_nothing_matches(rows, files, source))
    captions = [(name, row.caption) for row in rows if (name := located[row.name]) is not None]
    if any(row.split for row in rows):
        split_of = _given_splits(rows, located, oddities)
    else:
        split_of = split_by_names(files.names, oddities)
    return assemble(captions, files.names, split_of, oddities, captions_each)


def _locate(name: str, files: PhotoFiles, oddities: Oddities) -> str | None:
    """Return the file a name means, the name itself if there is none, None if there are several."""
    found = files.find(name)
    if len(found) > 1:
        oddities.ambiguous_names.add(name)
        return None
    return found[0] if found else name


def _given_splits(
    rows: Iterable[Row], located: Mapping[str, str | None], oddities: Oddities
) -> dict[str, str]:
    given: dict[str, set[str]] = {}
    for row in rows:
        name = located[row.name]
        if name is not None and row.split:
            given.setdefault(name, set()).add(row.split)
    split_of = {}
    for name, words in given.items():
        splits = {split for word in words if (split := known_split(word)) is not None}
        if len(splits) > 1:
            oddities.listed_twice.add(name)
        if splits:
            split_of[name] = max(splits, key=SPLITS.index)  # a test photo must not be trained on
        else:
            oddities.unknown_splits.add(f"{name}: '{min(words)[:40]}'")
    return split_of


def _nothing_matches(rows: Sequence[Row], files: PhotoFiles, source: Path) -> str:
    if not rows:
        return f"'{source}' holds no captions."
    return (
        f"'{source}' and the photos do not belong together: it names photos such as "
        f"'{rows[0].name[:80]}', and '{files.folder}' holds none of them, but "
        f"{len(files.names):,} others such as '{files.names[0]}'."
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
