"""Join the rows of a caption file, the photo files and the split lists into a data set's photos.

Each adapter reads its files; this module detects and handles problems for all of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import SPLITS, Photo
from captioning.datasets.photo_files import PhotoFiles
from captioning.datasets.splitting import (
    draw_dev,
    draw_splits,
    known_split,
    splits_of_folders,
)
from captioning.errors import DatasetError
from captioning.text import readable

# Conceptual Captions, the largest set of captions that people use, has 3.3 million.
MAX_CAPTIONS = 3_500_000

# A photo name with a number after its extension, such as x.jpg.1
_MISNAMED = re.compile(r"\.(jpe?g|png)\.\d+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One caption from a caption file.

    Attributes:
        name: The photo's name in the file.
        caption: The raw caption.
        split: The photo's split as written in the file; None if the file has none.
    """

    name: str
    caption: str
    split: str | None = None


def check_number(rows: Sequence[Row], source: str | Path) -> None:
    """Check that the rows read from a file or folder are not too many for the memory.

    Raises:
        DatasetError: There are more than 3.5 million.
    """
    if len(rows) > MAX_CAPTIONS:
        raise too_many(source)


def too_many(source: str | Path) -> DatasetError:
    """Return the error that a file or folder has more captions than `MAX_CAPTIONS`."""
    return DatasetError(
        f"'{source}' has more than {MAX_CAPTIONS:,} captions, the most that a data set may have. "
        "Divide it into smaller data sets."
    )


def assemble_rows(
    rows: Sequence[Row],
    files: PhotoFiles,
    source: str | Path,
    oddities: Oddities,
    captions_each: int | None = None,
    lists: Mapping[str, str] | None = None,
) -> tuple[Photo, ...]:
    """Join rows with their photo files.

    The splits come from `lists`, else from the rows, else from the names of the photos' folders;
    otherwise they are drawn by name.

    Args:
        rows: One per caption, in file order.
        files: The existing photo files.
        source: The caption file's name in error messages.
        oddities: Receives the problems.
        captions_each: Expected number of captions per photo; None if it varies.
        lists: The split of each name in the data set's split lists.

    Raises:
        DatasetError: No row matches any of the photos, or there are too many rows.
    """
    check_number(rows, source)
    located = _located(dict.fromkeys(row.name for row in rows), files, oddities)
    named = {located[row.name] for row in rows}
    if named.isdisjoint(files.names):
        raise DatasetError(_nothing_matches(rows, files, source))
    if lists:
        split_of = _listed_splits(lists, located, files)
    elif any(row.split for row in rows):
        split_of = _given_splits(rows, located, oddities)
    else:
        captioned = [name for name in files.names if name in named]
        split_of = splits_of_folders(captioned, oddities) or draw_splits(captioned, oddities)
    if not lists:
        draw_dev(split_of, [name for name in files.names if name in named], oddities)
    captions = []
    for row in rows:
        name = located[row.name]
        if name is None:
            oddities.count_row(None, kept=False)
        else:
            captions.append((name, row.caption))
    return assemble(captions, files.names, split_of, oddities, captions_each)


def assemble(
    rows: Iterable[tuple[str, str]],
    names: Iterable[str],
    split_of: Mapping[str, str],
    oddities: Oddities,
    captions_each: int | None = 5,
) -> tuple[Photo, ...]:
    """Join captions, photo files and split lists into photos, sorted by name.

    Only files in `names`, which were found in the folder, become photos: a caption file cannot
    refer to files elsewhere.

    Args:
        rows: A photo's name and one of its captions, in file order.
        names: The existing photo files.
        split_of: The split of each listed name.
        oddities: Receives the problems.
        captions_each: Expected number of captions per photo; None if it varies.
    """
    captions: dict[str, list[str]] = {name: [] for name in sorted(names)}
    for name, caption in rows:
        caption = readable(caption).strip()
        oddities.count_row(split_of.get(name), kept=name in captions)
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
            tuple(_without_repeats(name, texts, oddities, captions_each)),
            # Photos without captions are used neither for training nor for scoring.
            split_of.get(name) if texts else None,
        )
        for name, texts in captions.items()
    )


def _located(
    written: Iterable[str], files: PhotoFiles, oddities: Oddities
) -> dict[str, str | None]:
    """Return the file of each name: the name itself if there is none, None if it is ambiguous."""
    located: dict[str, str | None] = {}
    closely: dict[str, list[str]] = {}
    loosely: list[tuple[str, str]] = []
    for name in written:
        match = files.find(name)
        located[name] = name
        if len(match.names) > 1:
            oddities.ambiguous_names.add(name)
            located[name] = None
        elif match.loose:
            loosely.append((name, match.names[0]))
        elif match.names:
            located[name] = match.names[0]
            closely.setdefault(match.names[0], []).append(name)
    for file, names in closely.items():
        for name in _of_other_folders(files.folder / file, names):
            located[name] = name
    for name, file in loosely:
        if file not in closely:  # else the file belongs to another name, and this one is missing
            located[name] = file
            oddities.loose_names.add(f"'{name}' for '{file}'")
    return located


def _of_other_folders(file: Path, names: Sequence[str]) -> list[str]:
    """Return the names of other photos: train/1.jpg if only val/1.jpg exists."""
    if len(names) < 2:
        return []
    folders = {name: PurePosixPath(name.replace("\\", "/")).parent.name.lower() for name in names}
    if len(set(folders.values()) - {""}) < 2:
        return []
    return [name for name in names if folders[name] not in ("", file.parent.name.lower())]


def _listed_splits(
    lists: Mapping[str, str], located: Mapping[str, str | None], files: PhotoFiles
) -> dict[str, str]:
    split_of = {}
    for name, split in lists.items():
        file = located.get(name)
        if file is None:
            file = next(iter(files.find(name, loosely=False).names), name)
        split_of[file] = split
    return split_of


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
            split_of[name] = max(splits, key=SPLITS.index)  # never train on a test photo
        else:
            oddities.unknown_splits.add(f"{name}: '{min(words)[:40]}'")
    return split_of


def _nothing_matches(rows: Sequence[Row], files: PhotoFiles, source: str | Path) -> str:
    if not rows:
        return f"'{source}' contains no captions."
    return (
        f"'{source}' and the photos do not belong together: it names photos such as "
        f"'{rows[0].name[:80]}', but '{files.folder}' contains none of them, only "
        f"{len(files.names):,} others such as '{files.names[0]}'."
    )


def _without_repeats(
    name: str, captions: list[str], oddities: Oddities, captions_each: int | None
) -> list[str]:
    """Drop exact repeats, from the end, while there are more captions than expected."""
    surplus = len(captions) - captions_each if captions_each else 0
    kept: list[str] = []
    first = {caption: position for position, caption in reversed(list(enumerate(captions)))}
    for position in range(len(captions) - 1, -1, -1):
        caption = captions[position]
        if first[caption] == position:
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
