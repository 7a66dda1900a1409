"""What a reader of one kind of data set tells about itself, so that `load` can choose."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.dataset import CaptionDataset

__all__ = ["Adapter", "entries"]


@dataclass(frozen=True)
class Adapter:
    """One kind of data set: how to know it and how to read it.

    Attributes:
        name: The data set's name.
        looked_for: What makes a folder one, for the sentence that says what was missing.
        captions: Where its captions are, for the table of layouts; in Markdown.
        photos: Where its photos are, likewise.
        splits: Where its splits come from, likewise.
        inner_folders: Lower-case names of folders inside it that people give in its place.
        fits: Whether a folder is one, told from names and at most a few first lines.
        read: Reads a folder that fits, its caption files in the encoding given, or in the one
            that is found out if that is None.
    """

    name: str
    looked_for: str
    captions: str
    photos: str
    splits: str
    inner_folders: frozenset[str]
    fits: Callable[[Path], bool]
    read: Callable[[Path, str | None], CaptionDataset]


def entries(folder: Path) -> dict[str, Path]:
    """Return what lies in a folder by lower-case name; nothing if it cannot be listed."""
    try:
        return {path.name.lower(): path for path in sorted(folder.iterdir())}
    except OSError:
        return {}
