"""What every data set is once it has been read: photos with their captions, in splits."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from captioning.datasets.data_issues import Oddities
from captioning.errors import DatasetError

__all__ = ["SPLITS", "CaptionDataset", "Photo"]

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
