"""The photo files of a data set, and which of them a caption file means by a name."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath

from captioning.datasets.adapter import entries
from captioning.errors import DatasetError
from captioning.image_formats import ENDINGS, has_photo_ending

__all__ = [
    "PhotoFiles",
    "find_photo_folder",
    "holds_photos",
    "is_photo",
    "photo_files",
    "photo_names",
]

# Photos lie beside the captions, or in folders such as images/train2014; a home folder given by
# mistake should not be walked to its last corner.
_DEPTH = 3
_MOST_FILES = 1_000_000


def is_photo(name: str) -> bool:
    """Tell from its name whether a file is a photo; hidden files are none."""
    return has_photo_ending(name) and not name.startswith(".")


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


def holds_photos(folder: Path) -> bool:
    """Tell whether a photo lies in `folder` or in a folder inside it."""
    try:
        return any(True for _ in _walk(folder, "", _DEPTH))
    except DatasetError:
        return False


def find_photo_folder(here: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    """Return the folder of the photos, which some copies nest in another of such a name.

    Args:
        here: What lies in the data set's folder, by lower-case name.
        names: Lower-case names the folder may have, the likeliest first.
    """
    outer = [here[name] for name in names if name in here and os.path.isdir(here[name])]
    for folder in outer:
        if _has_photo(folder):
            return folder
        inner = entries(folder)
        for name in names:
            if name in inner and _has_photo(inner[name]):
                return inner[name]
    return next(iter(outer), None)


@dataclass(frozen=True)
class PhotoFiles:
    """The photo files there are, in one folder or in several.

    Attributes:
        folder: The innermost folder that holds them all.
        names: Each file's path below it, with forward slashes; sorted.
    """

    folder: Path
    names: tuple[str, ...]

    def find(self, name: str) -> list[str]:
        """Return the files a caption file may mean by `name`: none, one, or several.

        The name may be a path from another machine, lack the folder or the ending, or differ in
        upper and lower case.  Only a file that is there is ever returned.
        """
        wanted = re.sub(r"^([a-z]:)?[./\\]*", "", name.strip(), flags=re.IGNORECASE)
        wanted = wanted.replace("\\", "/")
        if wanted in self._known:
            return [wanted]
        candidates = self._by_end.get(_end(wanted), [])
        if len(candidates) > 1:
            closest = max(_shared_end(wanted, name) for name in candidates)
            candidates = [n for n in candidates if _shared_end(wanted, n) == closest]
        return candidates

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        by_end = defaultdict(list)
        for name in self.names:
            end = _end(name)
            by_end[end].append(name)
            by_end[end.rsplit(".", 1)[0]].append(name)
        return dict(by_end)


def photo_files(root: Path, inside: Sequence[str] = ("",)) -> PhotoFiles:
    """List the photos below `root`, at most three folders deep; hidden ones are left out.

    Args:
        root: The folder.
        inside: The folders below it to look in, with forward slashes; "" is `root` itself.

    Raises:
        DatasetError: A folder cannot be read, or there is no photo.
    """
    names: list[str] = []
    for folder in inside:
        for name in _walk(root / folder, f"{folder}/" if folder else "", _DEPTH):
            names.append(name)
            if len(names) > _MOST_FILES:
                raise DatasetError(
                    f"'{root}' holds more than {_MOST_FILES:,} photos. Give the folder that the "
                    "data set lies in."
                )
    if not names:
        raise DatasetError(f"'{root}' holds no photos ({', '.join(ENDINGS)}).")
    common = os.path.commonpath([name.rpartition("/")[0] for name in names])
    start = len(common) + 1 if common else 0
    return PhotoFiles(root / common, tuple(sorted(name[start:] for name in names)))


def _walk(folder: Path, above: str, depth: int) -> Iterator[str]:
    """Yield the paths of photos below `folder`, each behind `above`."""
    try:
        with os.scandir(folder) as found:
            here = sorted((entry.name, entry.is_dir()) for entry in found)
    except OSError as error:
        raise DatasetError(f"'{folder}' cannot be read ({error.strerror}).") from error
    for name, is_folder in here:
        if name.startswith((".", "__MACOSX")):
            continue
        if is_folder and depth:
            yield from _walk(folder / name, f"{above}{name}/", depth - 1)
        elif not is_folder and is_photo(name):
            yield above + name


def _has_photo(folder: Path) -> bool:
    try:
        return any(map(is_photo, os.listdir(folder)))
    except OSError:
        return False


def _end(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower()


def _shared_end(one: str, other: str) -> int:
    """Count how many parts two paths share, from their ends."""
    parts = (reversed(PurePosixPath(path.lower()).parts) for path in (one, other))
    same = (left == right for left, right in zip(*parts, strict=False))
    return sum(takewhile(bool, same))
