"""Splits: photos for training, for model selection and for testing."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from captioning.datasets.data_issues import Oddities, Tally
from captioning.datasets.dataset import SPLITS, CaptionDataset
from captioning.datasets.text_files import read_lines

_WRITTEN = {
    "train": ("train", "training", "trn", "restval"),
    "dev": ("dev", "val", "valid", "validation", "development", "eval", "evaluation"),
    "test": ("test", "testing", "tst", "heldout", "holdout"),
}
_KNOWN = {word: split for split, words in _WRITTEN.items() for word in words}
_OFFICIAL = {s: Path(__file__).parent / "splits" / f"flickr8k_{s}.txt" for s in SPLITS}


def known_split(text: str) -> str | None:
    """Return the split that a word in a file means, or None.

    >>> known_split("Val"), known_split("train2017"), known_split("3")
    ('dev', 'train', None)
    """
    return _KNOWN.get(re.sub(r"[^a-z]", "", text.lower()))


def split_in_name(stem: str) -> str | None:
    """Return the split in a file name, if it contains exactly one.

    >>> split_in_name("coco_karpathy_val"), split_in_name("captions")
    ('dev', None)
    """
    found = {split for part in re.split(r"[^A-Za-z0-9]+", stem) if (split := known_split(part))}
    return found.pop() if len(found) == 1 else None


def split_by_name(name: str) -> str:
    """Return a split computed from a photo's name: 80 % "train", 10 % "dev", 10 % "test".

    The same name gives the same split on every machine and in every folder, so adding photos moves
    none to another split.
    """
    tenth = _number(name) % 10
    return {8: "dev", 9: "test"}.get(tenth, "train")


def draw_splits(names: Sequence[str], oddities: Oddities) -> dict[str, str]:
    """Draw a split for each name, and record this in `oddities`.

    If a split would be empty, it gets a photo from the largest split.  Two photos are enough for
    train and dev, three for all splits.
    """
    drawn = {name: split_by_name(name) for name in names}
    moved = False
    for split in ("dev", "train", "test"):
        others = [drawn[name] for name in drawn]
        largest = max(SPLITS, key=others.count)
        wanted = len(drawn) >= (3 if split == "test" else 2)
        if wanted and split not in others:
            drawn[min((n for n in drawn if drawn[n] == largest), key=_number)] = split
            moved = True
    oddities.decisions.append(
        "No file defines the splits, so they are drawn by photo name: "
        "80 % train, 10 % dev, 10 % test, the same every time"
        + (", and at least one photo in each" if moved else "")
        + ". A column 'split' in the table would define them."
    )
    return drawn


def draw_dev(split_of: dict[str, str], names: Sequence[str], oddities: Oddities) -> None:
    """Move a tenth of the training photos to dev, if a data set has only train and test.

    A data set that is marked as train alone stays so, because it may be an addition to another;
    `with_dev` draws its dev photos.

    Args:
        split_of: The split of each photo, of missing ones too; changed in place.
        names: The photos with captions.
        oddities: Records this.
    """
    train = [n for n in names if split_of.get(n) == "train"]
    if {*split_of.values()} != {"train", "test"}:
        return
    moved, decision = _tenth(train)
    if moved:
        split_of.update(dict.fromkeys(moved, "dev"))
        oddities.decisions.append(decision)


def with_dev(dataset: CaptionDataset) -> CaptionDataset:
    """Return a data set that can be trained on alone: if it has no dev photos, draw some.

    A tenth of its training photos is moved to dev; one training photo alone stays where it is.
    """
    moved, decision = _tenth([photo.name for photo in dataset.split("train")])
    if dataset.split("dev") or not moved:
        return dataset
    photos = tuple(replace(p, split="dev") if p.name in moved else p for p in dataset.photos)
    oddities = replace(dataset.oddities, decisions=[*dataset.oddities.decisions, decision])
    return replace(dataset, photos=photos, oddities=oddities)


def _tenth(train: Sequence[str]) -> tuple[set[str], str]:
    """Choose a tenth of the training photos as dev photos; return them, and a sentence for people.

    Of fewer than two photos, none is chosen.
    """
    if len(train) < 2:
        return set(), ""
    moved = sorted(train, key=_number)[: max(1, len(train) // 10)]
    return set(moved), (
        f"No photo is marked as dev, so {len(moved):,} of the {len(train):,} training photos are "
        "dev, drawn by photo name, the same every time."
    )


def splits_of_folders(names: Sequence[str], oddities: Oddities) -> dict[str, str]:
    """Return each photo's split by its folder; {} unless all folders name one and two differ."""
    split_of = {}
    for name in names:
        words = (known_split(part) for part in reversed(name.split("/")[:-1]))
        split = next(filter(None, words), None)
        if split is None:
            return {}
        split_of[name] = split
    if len(set(split_of.values())) < 2:
        return {}
    oddities.decisions.append("The folder names define the splits.")
    return split_of


@cache
def official_splits() -> Mapping[str, str]:
    """Return the split of each of the 8,000 photos in Flickr8k's official lists."""
    return read_split_lists(_OFFICIAL, Tally())


def read_split_lists(lists: Mapping[str, Path], twice: Tally) -> dict[str, str]:
    """Read train, then dev, then test, so that a photo in two lists is not used for training."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        for line in read_lines(lists[split]):
            name = line.strip()
            if not name:
                continue
            if split_of.get(name, split) != split:
                twice.add(name)
            split_of[name] = split
    return split_of


def _number(name: str) -> int:
    digest = hashlib.sha256(name.rsplit("/", 1)[-1].encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big")
