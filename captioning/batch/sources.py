"""Where many photos come from: a folder, a zip, or single files.  None is read before its turn."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from captioning.errors import ImageError
from captioning.image_formats import has_photo_ending
from captioning.images import MAX_BYTES, read_photo_file
from captioning.zip_files import name_in_zip, open_zip


@dataclass(frozen=True)
class AlbumPhoto:
    """One photo that has not been read yet.

    Attributes:
        name: unique in its album, with `/` between folders.
        read: returns the file's bytes; raises ImageError if it cannot be read.
    """

    name: str
    read: Callable[[], bytes]


Album = Sequence[AlbumPhoto]


def open_album(source: str | Path | BinaryIO) -> list[AlbumPhoto]:
    """List the photos of a folder (and the folders in it), of a zip, or a single photo.

    Args:
        source: a path, or an open zip file that stays open as long as its photos are read.

    Returns:
        Photos by name; hidden files and what is no photo by its name are left out.

    Raises:
        ImageError: there is no such file or folder, or the zip is damaged.
    """
    if not isinstance(source, (str, Path)):
        return _from_zip(source)
    path = Path(source)
    if path.is_dir():
        return _from_folder(path)
    if not path.is_file():
        raise ImageError(f"There is no file or folder '{path}'.")
    if zipfile.is_zipfile(path):
        return _from_zip(path)
    return [AlbumPhoto(printable(path.name), lambda: read_photo_file(path))]


def from_bytes(files: Iterable[tuple[str, bytes]]) -> list[AlbumPhoto]:
    """Make an album of files in memory; of equal names the later ones are numbered."""
    return told_apart(
        AlbumPhoto(name, lambda data=data: data)  # type: ignore[misc]
        for name, data in files
    )


def printable(name: str) -> str:
    """Return a file's name as UTF-8 can hold it, other bytes written as their numbers."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def photo_names(
    folder: Path, *, on_error: Callable[[OSError], None] = lambda error: None
) -> list[str]:
    """List the photos of a folder and of the folders in it, without a look at any of the files.

    Args:
        folder: links to other folders in it are not followed.
        on_error: given why a folder cannot be read; the others are listed all the same.

    Returns:
        Paths below the folder, with `/` between folders, in order; hidden ones are left out.
    """
    names, waiting = [], [""]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(folder / above) as entries:
                for entry in entries:
                    if entry.name.startswith((".", "__MACOSX")):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{above}{entry.name}/")
                    elif has_photo_ending(entry.name) and (
                        entry.is_symlink() or entry.is_file(follow_symlinks=False)
                    ):
                        names.append(above + entry.name)
        except OSError as error:
            on_error(error)
    return sorted(names)


def told_apart(photos: Iterable[AlbumPhoto]) -> list[AlbumPhoto]:
    """Number the later ones of photos with equal names."""
    found: dict[str, AlbumPhoto] = {}
    numbers: dict[str, int] = {}  # the highest one tried, by name
    for photo in photos:
        unique, (stem, ending) = photo.name, os.path.splitext(photo.name)
        while unique in found:
            numbers[photo.name] = numbers.get(photo.name, 1) + 1
            unique = f"{stem} ({numbers[photo.name]}){ending}"
        found[unique] = AlbumPhoto(unique, photo.read)
    return list(found.values())


def _is_photo(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(p.startswith((".", "__MACOSX")) and p != ".." for p in path.parts)
    return has_photo_ending(name) and not hidden


def _from_folder(folder: Path) -> list[AlbumPhoto]:
    paths = ((name, folder / name) for name in photo_names(folder))
    return [
        AlbumPhoto(printable(name), lambda path=path: read_photo_file(path))  # type: ignore[misc]
        for name, path in paths
        if path.is_file()
    ]


def _from_zip(source: Path | BinaryIO) -> list[AlbumPhoto]:
    """List a zip's photos.  Nothing is unpacked to disk, so a name in it is only a name."""
    try:
        archive = open_zip(source)
        members = {name_in_zip(member): member for member in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ImageError(f"The zip cannot be read ({error}). Make or copy it again.") from error
    return [
        AlbumPhoto(name, lambda member=member: _read_member(archive, member))  # type: ignore[misc]
        for name, member in sorted(members.items())
        if _is_photo(name) and not member.is_dir() and not stat.S_ISLNK(member.external_attr >> 16)
    ]


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    name = PurePosixPath(member.filename).name
    try:
        with archive.open(member) as file:
            # The size a zip states may be a lie, so no more than the limit is ever unpacked.
            data = file.read(MAX_BYTES + 1)
    except RuntimeError as error:  # how zipfile says that a password is needed
        raise ImageError(f"The photo '{name}' is locked with a password.") from error
    except Exception as error:  # a hostile zip can make a decompressor raise nearly anything
        reason = str(error) or type(error).__name__
        raise ImageError(f"The photo '{name}' cannot be unpacked ({reason}).") from error
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"The photo '{name}' is larger than the {MAX_BYTES / 1e6:.0f} MB accepted."
        )
    return data
