"""A data set in memory: photos with captions, in splits; and the adapters that read one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from captioning.datasets.data_issues import Oddities
from captioning.errors import DatasetError, ImageError
from captioning.images import read_image

SPLITS = ("train", "dev", "test")
MOST_LOST = 0.05
"""The share of the captions of a split that may be left out."""


@dataclass(frozen=True)
class Photo:
    """One photo with its captions.

    Attributes:
        name: The file's path relative to the data set's photo folder, with forward slashes.  Unique
            in its data set.
        captions: Raw captions; may be empty.
        split: "train", "dev" or "test"; None if the photo is in no split list or has no caption.
    """

    name: str
    captions: tuple[str, ...]
    split: str | None = None


# Compared and hashed by identity, because comparing 8,091 photos would be slow.
@dataclass(frozen=True, eq=False)
class CaptionDataset:
    """Photos with their captions, read from a folder; immutable.

    `dataset["a.jpg"]` returns a photo by name, `"a.jpg" in dataset` checks for it, and
    `len(dataset)` is the number of photos.

    Attributes:
        name: Its name next to scores, such as "flickr8k".
        root: The folder of the data set.
        photos: All photos, sorted by name.
        folder: The innermost folder that contains all photo files.
        oddities: Problems found while reading.
        has_photos: Whether the photo files exist; a class's files from a tutorial contain only
            captions and features.
    """

    name: str
    root: Path
    photos: tuple[Photo, ...]
    folder: Path
    oddities: Oddities
    has_photos: bool = True

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.photos)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a photo with this name."""
        return name in self._by_name

    def __getitem__(self, name: str) -> Photo:
        """Return the photo with this name.

        Raises:
            DatasetError: There is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise DatasetError(f"The data set {self.name} has no photo '{name}'.") from None

    def split(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of "train", "dev" or "test", sorted by name.

        Raises:
            DatasetError: There is no split with that name.
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
        """Return the path of the photo's file."""
        return self.folder / photo.name

    @cached_property
    def fingerprint(self) -> str:
        """A digest of 16 hex digits that changes with the names and file sizes of photos.

        It is fast to compute, and independent of layout and captions.

        Raises:
            DatasetError: A photo's file has been deleted since the folder was read.
        """
        digest = hashlib.sha256()
        for photo in self.photos:
            try:
                size = self.path(photo).stat().st_size if self.has_photos else -1
            except OSError as error:
                raise DatasetError(
                    f"The photo '{photo.name}' was in '{self.folder}' when the data set was read "
                    f"but cannot be opened now ({error.strerror})."
                ) from error
            digest.update(f"{photo.name}\0{size}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    def check_complete(self, *splits: str) -> None:
        """Check that most captions of some splits could be used.

        Args:
            splits: The splits that are needed; captions without a split count for each.

        Raises:
            DatasetError: More captions are left out, or all captions of a split.
        """
        lost, rows, gone = self.oddities.losses(splits)
        if not gone and lost <= MOST_LOST * rows:
            return
        reasons = " ".join(self.oddities.about_captions())
        all_of = f" (all of {' and '.join(gone)})" if gone else ""
        raise DatasetError(
            f"{self.name} would leave out {lost:,} of {rows:,} captions{all_of}. {reasons} Add "
            "the missing photos or correct the names; or allow it with --allow-missing (the "
            "setting allow_missing)."
        )

    def summary(self) -> str:
        """Describe the contents and the problems of the data set in a few sentences."""
        return " ".join(self.sentences())

    def sentences(self) -> list[str]:
        """Return the sentences of `summary`: the contents, then one per decision and problem."""
        captions = sum(len(photo.captions) for photo in self.photos)
        parts = [f"{len(self._by_split[split]):,} {split}" for split in SPLITS]
        unlisted = len(self) - sum(len(self._by_split[split]) for split in SPLITS)
        if unlisted:
            parts.append(f"{unlisted:,} in no split")
        first = (
            f"{self.name}: {len(self):,} photo{'s' * (len(self) != 1)} with {captions:,} "
            f"caption{'s' * (captions != 1)} ({', '.join(parts)})."
        )
        return [first, *self.oddities.sentences()]

    @cached_property
    def _by_name(self) -> dict[str, Photo]:
        return {photo.name: photo for photo in self.photos}

    @cached_property
    def _by_split(self) -> dict[str, tuple[Photo, ...]]:
        return {s: tuple(photo for photo in self.photos if photo.split == s) for s in SPLITS}


@dataclass(frozen=True)
class Adapter:
    """One kind of data set: how to detect and read it.

    Attributes:
        name: The name of the kind.
        looked_for: The files that identify it, for error messages.
        captions: Where its captions are, for the table of layouts; in Markdown.
        photos: Where its photos are, likewise.
        splits: Where its splits come from, likewise.
        inner_folders: Lower-case names of inner folders that people may give instead.
        fits: Returns whether a folder is of this kind, by file names and a few first lines.
        read: Reads a folder, given the encoding of its caption files, or None to detect it.
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
    """Return the entries of a folder by lower-case name; empty if it cannot be listed."""
    try:
        return {
            path.name.lower(): path for path in sorted(folder.iterdir(), key=lambda path: path.name)
        }
    except OSError:
        return {}


@dataclass(frozen=True)
class VerificationReport:
    """The result of opening every photo of a data set.

    Attributes:
        checked: Number of photos opened.
        unreadable: The name of each unreadable photo, with the error message.
    """

    checked: int
    unreadable: tuple[tuple[str, str], ...]

    @property
    def ok(self) -> bool:
        """Whether every photo can be read."""
        return not self.unreadable

    def sentences(self) -> list[str]:
        """Return the result as sentences: a summary, and one per unreadable photo."""
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
        dataset: The data set; its files are not changed.
        on_progress: Called after each photo with the photos done and the total.
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


def without_unreadable(
    dataset: CaptionDataset, split: str
) -> tuple[CaptionDataset, dict[str, str]]:
    """Take the photos that cannot be read out of a split.

    Returns:
        The data set, and the name of each such photo with the error message.
    """
    unreadable = dict(verify(replace(dataset, photos=dataset.split(split))).unreadable)
    photos = tuple(replace(p, split=None) if p.name in unreadable else p for p in dataset.photos)
    return replace(dataset, photos=photos), unreadable
