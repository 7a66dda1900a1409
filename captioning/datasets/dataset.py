"""A data set in memory: photos with captions, in splits; and what reads one from a folder."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from captioning.datasets.data_issues import Oddities
from captioning.errors import DatasetError, ImageError
from captioning.images import read_image

__all__ = [
    "SPLITS",
    "Adapter",
    "CaptionDataset",
    "Photo",
    "VerificationReport",
    "entries",
    "verify",
]

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Photo:
    """One photo and what people wrote about it.

    Attributes:
        name: The file's path below the data set's photo folder, with forward slashes; where all
            photos lie in one folder, the file's name alone.  Unique in its data set.
        captions: As they were written, not cleaned; empty where nobody described the photo.
        split: "train", "dev" or "test"; None where no list names the photo or it has no caption.
    """

    name: str
    captions: tuple[str, ...]
    split: str | None = None


# Compared and hashed by identity: two tuples of 8,091 photos are nothing to compare by accident.
@dataclass(frozen=True, eq=False)
class CaptionDataset:
    """Photos with their captions, read from a folder and not changed afterwards.

    `dataset["a.jpg"]` is the photo of that name, `"a.jpg" in dataset` asks for it, and
    `len(dataset)` counts them.

    Attributes:
        name: What to call it beside a score, such as "flickr8k".
        root: The folder of the data set.
        photos: All photos, in the order of their names.
        folder: The folder the photo files lie in, or the one around their folders.
        oddities: What reading met that should not be there.
        has_photos: Whether the photos themselves are there; a class's files from a tutorial hold
            captions and features alone.
    """

    name: str
    root: Path
    photos: tuple[Photo, ...]
    folder: Path
    oddities: Oddities
    has_photos: bool = True

    def __len__(self) -> int:
        """Count the photos."""
        return len(self.photos)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a photo of this name."""
        return name in self._by_name

    def __getitem__(self, name: str) -> Photo:
        """Return the photo of this name.

        Raises:
            DatasetError: There is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise DatasetError(f"The data set {self.name} has no photo '{name}'.") from None

    def split(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of "train", "dev" or "test", in the order of their names.

        Raises:
            DatasetError: There is no split of that name.
        """
        if split not in SPLITS:
            raise DatasetError(f"There is no split '{split}'; there are {', '.join(SPLITS)}.")
        return self._by_split[split]

    def references(self, split: str) -> list[list[str]]:
        """Return the captions of each photo of a split, raw, in the order of `split(split)`.

        Raises:
            DatasetError: There is no split of that name.
        """
        return [list(photo.captions) for photo in self.split(split)]

    def path(self, photo: Photo) -> Path:
        """Return where the photo's file lies."""
        return self.folder / photo.name

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when a photo is added, removed, renamed or resized.

        A SHA-256 over names and file sizes alone: quick, and equal for the same photos in another
        layout or with other captions.

        Raises:
            DatasetError: A photo's file has gone since the folder was read.
        """
        digest = hashlib.sha256()
        for photo in self.photos:
            try:
                size = self.path(photo).stat().st_size if self.has_photos else -1
            except OSError as error:
                raise DatasetError(
                    f"The photo '{photo.name}' was in '{self.folder}' when the data set was read "
                    f"and is not to be had now ({error.strerror})."
                ) from error
            digest.update(f"{photo.name}\0{size}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    def check_complete(self, *splits: str, most: float = 0.05) -> None:
        """Make sure that reading has not lost a part of some splits.

        Args:
            splits: Those that are needed; captions of no split count for each.
            most: The share of their captions that may be left out.

        Raises:
            DatasetError: More is left out, or all of a split.
        """
        lost, rows, gone = self.oddities.losses(splits)
        if not gone and lost <= most * rows:
            return
        reasons = " ".join(self.oddities.about_captions())
        all_of = f" (all of {' and '.join(gone)})" if gone else ""
        raise DatasetError(
            f"{self.name} would leave out {lost:,} of {rows:,} captions{all_of}. {reasons} Add "
            "the missing photos or correct the names; or allow it with --allow-missing (the "
            "setting allow_missing)."
        )

    def summary(self) -> str:
        """Say in a few sentences what the data set holds and what is odd about it."""
        captions = sum(len(photo.captions) for photo in self.photos)
        parts = [f"{len(self._by_split[split]):,} {split}" for split in SPLITS]
        unlisted = len(self) - sum(len(self._by_split[split]) for split in SPLITS)
        if unlisted:
            parts.append(f"{unlisted:,} in no split")
        first = (
            f"{self.name}: {len(self):,} photo{'s' * (len(self) != 1)} with {captions:,} "
            f"caption{'s' * (captions != 1)} ({', '.join(parts)})."
        )
        return " ".join([first, *self.oddities.sentences()])

    @cached_property
    def _by_name(self) -> dict[str, Photo]:
        return {photo.name: photo for photo in self.photos}

    @cached_property
    def _by_split(self) -> dict[str, tuple[Photo, ...]]:
        return {s: tuple(photo for photo in self.photos if photo.split == s) for s in SPLITS}


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


@dataclass(frozen=True)
class VerificationReport:
    """What opening every photo of a data set gave.

    Attributes:
        checked: How many photos were opened.
        unreadable: The name of each photo that could not be read, with the sentence that says why.
    """

    checked: int
    unreadable: tuple[tuple[str, str], ...]

    @property
    def ok(self) -> bool:
        """Whether every photo can be read."""
        return not self.unreadable

    def sentences(self) -> list[str]:
        """Return the outcome for a person: one sentence, and one more per unreadable photo."""
        total = f"{self.checked:,} photos"
        if self.ok:
            return [f"{self.checked:,} of {total} can be read."]
        return [
            f"{len(self.unreadable):,} of {total} cannot be read:",
            *(reason for _, reason in self.unreadable),
        ]


def verify(
    dataset: CaptionDataset, on_progress: Callable[[int, int], object] | None = None
) -> VerificationReport:
    """Decode every photo of `dataset` and list those that cannot be read.

    Args:
        dataset: A data set; its files are read, nothing is changed.
        on_progress: Called after each photo with the photos done and their total.
    """
    unreadable = []
    for done, photo in enumerate(dataset.photos, start=1):
        try:
            read_image(dataset.path(photo))
        except ImageError as error:
            unreadable.append((photo.name, str(error)))
        if on_progress is not None:
            on_progress(done, len(dataset))
    return VerificationReport(len(dataset), tuple(unreadable))
