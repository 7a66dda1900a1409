"""The photo files of a data set, and matching the names in caption files to them."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, unquote_plus

from captioning.datasets.dataset import entries
from captioning.errors import DatasetError
from captioning.image_formats import ENDINGS, has_photo_ending
from captioning.text import composed, readable

# Photos are next to the captions, or in folders such as images/train2014 or 2024/05/12; a home
# folder entered by mistake should not be searched completely.
_DEPTH = 6
_MOST_FILES = 1_000_000
# File systems allow names of 255 letters, each of which may be followed by marks.
_LONGEST_NAME = 1_000

_ROOT = re.compile(r"^([a-z]:)?[./\\]*", re.IGNORECASE)
_ADDRESS = re.compile(r"^(file:/*|[a-z][a-z0-9+]*://[^/]*/)", re.IGNORECASE)
# A caption number after the name, as in a token file, or a number that pandas wrote as 7.0
_NUMBERED = re.compile(r"#\d+$|(?<=\d)\.0$")
_ENDING = re.compile(r"\.[a-z][a-z0-9]{1,4}$")
_COCO_2014 = re.compile(r"^coco_(train|val|test)\d{4}_")
# Characters around a name from Windows' "Copy as path" and from web pages
_AROUND = " \t\r\n\"'\xa0\ufeff\u200b\u200e\u200f\u202a\u202c\u2066\u2069"


def is_photo(name: str) -> bool:
    """Return whether a file name belongs to a photo.

    Hidden files do not count, nor do names that are not UTF-8: no page and no table can hold them.
    """
    return has_photo_ending(name) and not name.startswith(".") and readable(name) == name


def photo_names(folder: Path) -> list[str]:
    """Return the sorted names of the photo files in `folder`, without hidden files.

    Raises:
        DatasetError: The folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DatasetError(f"'{folder}' cannot be read ({error.strerror}).") from error
    return sorted(filter(is_photo, names))


def holds_photos(folder: Path) -> bool:
    """Return whether there is a photo in `folder` or in a folder inside it."""
    try:
        return any(True for _ in _walk(folder, "", _DEPTH))
    except DatasetError:
        return False


def photos_below(folder: Path) -> Iterator[str]:
    """Yield the path of each photo below `folder`, at most six folders deep.

    Raises:
        DatasetError: A folder cannot be read.
    """
    return _walk(folder, "", _DEPTH)


def find_photo_folder(here: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    """Return the folder of the photos, which may be nested in another with the same name.

    Args:
        here: Entries of the data set's folder, by lower-case name.
        names: Possible lower-case names of the folder, most likely first.
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
class Match:
    """The photo files that match a name in a caption file.

    Attributes:
        names: Zero, one, or several names.
        loose: Whether the name differs in more than folder, case or a missing extension.
    """

    names: tuple[str, ...]
    loose: bool = False


@dataclass(frozen=True)
class PhotoFiles:
    """The existing photo files, in one folder or in several.

    Attributes:
        folder: The innermost folder that contains them all.
        names: Each file's path relative to it, with forward slashes; sorted.
    """

    folder: Path
    names: tuple[str, ...]

    def __contains__(self, name: object) -> bool:
        """Return whether there is a file with exactly this path."""
        return name in self._known

    def find(self, name: str, *, loosely: bool = True) -> Match:
        """Return the files that match `name` from a caption file.

        The name may be a path from another machine, lack the folder or the extension, and differ in
        case or in the Unicode form of accents.  If no file matches, it may also be percent-encoded
        or a web address, have another extension, or other leading zeros; such a match is loose.
        Only existing files are returned.

        Args:
            name: The name as written.
            loosely: Whether to look for loose matches.
        """
        written = _relative(name)
        if written in self._known:
            return Match((written,))
        close = self._closest(self._by_name, _folded(written), written)
        if close or not loosely:
            return Match(close)
        address = _relative(_ADDRESS.sub("", name.strip()).partition("?")[0])
        decoded = unquote(address)
        variants = (written, address, decoded, unquote_plus(address), unquote(decoded))
        for variant in dict.fromkeys(variants):
            variant = _NUMBERED.sub("", variant)
            folded = _folded(variant)
            stem = _stem(folded)
            for index, key in (
                (self._by_name, folded),
                (self._by_stem, stem),
                (self._by_number, _without_zeros(stem)),
            ):
                if close := self._closest(index, key, variant):
                    return Match(close, loose=True)
        return Match(())

    def _closest(
        self, index: Mapping[str, tuple[str, ...]], key: str, written: str
    ) -> tuple[str, ...]:
        """Return the files with a key; of several, those whose folders best match the name's."""
        found = index.get(key, ())
        if len(found) > 1:
            for end in _ends(written):
                if end not in self._by_end:
                    break
                found = self._by_end[end]
        return found

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, ...]]:
        folded = ((_folded(name), name) for name in self.names)
        return _grouped((k, name) for key, name in folded for k in (key, key.rsplit(".", 1)[0]))

    @cached_property
    def _by_stem(self) -> dict[str, tuple[str, ...]]:
        return _grouped((_stem(_folded(name)), name) for name in self.names)

    @cached_property
    def _by_number(self) -> dict[str, tuple[str, ...]]:
        return _grouped((_without_zeros(_stem(_folded(name))), name) for name in self.names)

    @cached_property
    def _by_end(self) -> dict[str, tuple[str, ...]]:
        """The files by each number of parts at the end of their paths, as in "a.jpg/images/"."""
        return _grouped((end, name) for name in self.names for end in _ends(name))


def photo_files(root: Path, inside: Sequence[str] = ("",)) -> PhotoFiles:
    """List the photos below `root`, at most six folders deep, without hidden ones.

    Args:
        root: The folder.
        inside: Relative paths of the folders to search, with forward slashes; "" is `root`.

    Raises:
        DatasetError: A folder cannot be read, or there is no photo.
    """
    names: list[str] = []
    for folder in inside:
        for name in _walk(root / folder, f"{folder}/" if folder else "", _DEPTH):
            names.append(name)
            if len(names) > _MOST_FILES:
                raise DatasetError(
                    f"'{root}' contains more than {_MOST_FILES:,} photos. Enter the folder of the "
                    "data set."
                )
    if not names:
        raise DatasetError(f"'{root}' contains no photos ({', '.join(ENDINGS)}).")
    common = os.path.commonpath([name.rpartition("/")[0] for name in names])
    start = len(common) + 1 if common else 0
    return PhotoFiles(root / common, tuple(sorted(name[start:] for name in names)))


def _walk(folder: Path, above: str, depth: int, followed: set[Path] | None = None) -> Iterator[str]:
    """Yield the paths of photos below `folder`, each with the prefix `above`.

    `followed` are the folders that links have led to: only the first link to a folder is followed,
    because a few links to each other would make millions of paths.
    """
    followed = set() if followed is None else followed
    try:
        with os.scandir(folder) as found:
            here = sorted((entry.name, entry.is_dir()) for entry in found)
    except OSError as error:
        raise DatasetError(f"'{folder}' cannot be read ({error.strerror}).") from error
    for name, is_folder in here:
        if name.startswith((".", "__MACOSX")):
            continue
        if is_folder and depth and not _is_known_link(folder / name, followed):
            yield from _walk(folder / name, f"{above}{name}/", depth - 1, followed)
        elif not is_folder and is_photo(name):
            yield above + name


def _is_known_link(folder: Path, followed: set[Path]) -> bool:
    """Return whether a folder is a link to one of its parents or to a folder in `followed`.

    The target of another link is added to `followed`.
    """
    if not os.path.islink(folder):
        return False
    target = folder.resolve()
    if target in followed or folder.parent.resolve().is_relative_to(target):
        return True
    followed.add(target)
    return False


def _has_photo(folder: Path) -> bool:
    try:
        return any(map(is_photo, os.listdir(folder)))
    except OSError:
        return False


def _relative(name: str) -> str:
    """Convert a path of any system to a relative one, with forward slashes."""
    name = name.strip(_AROUND)
    return _ROOT.sub("", name, count=1).replace("\\", "/")


def _folded(name: str) -> str:
    """Return the file name without its folder, with normalised case and Unicode form."""
    end = name.rsplit("/", 1)[-1]
    if end.isascii() or len(end) > _LONGEST_NAME:
        return end.lower()
    return composed(composed(end).casefold())


def _stem(folded: str) -> str:
    """Return a folded name without an extension such as '.jpg'."""
    return _ENDING.sub("", folded)


def _without_zeros(stem: str) -> str:
    """Return a stem without leading zeros, so that COCO's names of 2014 and 2017 match."""
    return re.sub(r"\d+", lambda n: n[0].lstrip("0") or "0", _COCO_2014.sub("", stem))


def _ends(name: str) -> Iterator[str]:
    """Yield the last part of a path, its last two parts, and so on, folded, the last one first."""
    return accumulate(f"{_folded(part)}/" for part in reversed(PurePosixPath(name).parts))


def _grouped(keyed: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups = defaultdict(list)
    for key, name in keyed:
        groups[key].append(name)
    return {key: tuple(names) for key, names in groups.items()}
