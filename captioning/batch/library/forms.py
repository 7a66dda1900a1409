"""What a caption is written as: XMP sidecar, the photo's metadata, text file, or row of a table.

A form says what a file should hold; it writes nothing.  A table is appended to by any number of
processes, none of which may be lost in it.  A file with a description by a person is
left alone, and so is a text file that this program did not write.
"""

import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from captioning.batch.captioning import Row
from captioning.batch.exports import to_csv
from captioning.batch.library.changes import Draft, digest
from captioning.batch.library.log import LibraryLog, Result, Table
from captioning.batch.sources import printable
from captioning.errors import DatasetError, ImageError
from captioning.image_metadata import has_words_of_a_person, write_caption, write_sidecar
from captioning.image_metadata.containers import container_of
from captioning.images import MAX_BYTES
from captioning.storage import read_regular_file

_MOST_SIDECAR_BYTES = 10_000_000


class LeftAloneError(ImageError):
    """A file has a description that a person wrote."""


class Form(Protocol):
    """What is written for one photo."""

    def check(self, photo: Path, data: bytes) -> None:
        """Find out before captioning whether a caption may be written.

        Args:
            photo: the file.
            data: its bytes.

        Raises:
            LeftAloneError: a person described the photo.
            ImageError: no caption can be written.
        """

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """Return the file that should be written; raises as `check`."""


class Sidecar:
    """`photo.jpg.xmp` next to the photo, or the `photo.xmp` that is there already."""

    def check(self, photo: Path, data: bytes) -> None:
        """As `Form.check`."""
        if has_words_of_a_person(photo=data):
            raise LeftAloneError(f"'{photo.name}' has a description by a person.")
        self._old(photo)

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """As `Form.draft`."""
        path, old = self._old(photo)
        new = write_sidecar(
            old,
            row.caption,
            writer=row.by,
            version=version,
            confidence=row.confidence,
            doubtful=row.doubtful,
        )
        return Draft.of(path, old, new)

    def _old(self, photo: Path) -> tuple[Path, bytes | None]:
        own = photo.with_name(photo.name + ".xmp")
        old = _read(own)
        if old is not None and has_words_of_a_person(sidecar=old):
            raise LeftAloneError(f"'{own.name}' has a description by a person.")
        # Lightroom's name of a sidecar.  Programs that read both prefer ours, so a new one would
        # hide what stands in the old one.
        shared = photo.with_suffix(".xmp")
        if old is None and (found := _read(shared)) is not None:
            if b"description" in found:
                raise LeftAloneError(f"'{shared.name}' has a description already.")
            return shared, found
        return own, old


class Embedded:
    """The metadata of the photo file itself."""

    def check(self, photo: Path, data: bytes) -> None:
        """As `Form.check`."""
        if photo.is_symlink():
            raise ImageError(f"'{photo.name}' is a link, and no caption is written through links.")
        if container_of(data) is None:
            raise ImageError(
                f"'{photo.name}': captions are written into JPEG, PNG, WebP, GIF and TIFF files "
                "alone. --write sidecar works with every photo."
            )
        if has_words_of_a_person(photo=data):
            raise LeftAloneError(f"'{photo.name}' has a description by a person.")

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """As `Form.draft`."""
        old = read_regular_file(photo, MAX_BYTES)
        self.check(photo, old)
        new = write_caption(
            old,
            row.caption,
            writer=row.by,
            version=version,
            confidence=row.confidence,
            doubtful=row.doubtful,
        )
        return Draft.of(photo, old, new.data)


class TextFile:
    """`photo.txt` next to the photo, as training tools expect; `photo.jpg.txt` if two share it.

    Args:
        photos: all of them, to see which differ in their endings alone.
        wrote: returns whether this program wrote a file with a given digest.
    """

    def __init__(self, photos: Iterable[Path], wrote: Callable[[Path, str], bool]) -> None:
        stems = Counter(photo.with_suffix("") for photo in photos)
        self._shared = {stem for stem, count in stems.items() if count > 1}
        self._wrote = wrote

    def check(self, photo: Path, data: bytes) -> None:
        """As `Form.check`."""
        self._old(photo)

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """As `Form.draft`."""
        path, old = self._old(photo)
        return Draft.of(path, old, (row.caption + "\n").encode())

    def _old(self, photo: Path) -> tuple[Path, bytes | None]:
        shared = photo.with_suffix("") in self._shared
        path = photo.with_name(photo.name + ".txt") if shared else photo.with_suffix(".txt")
        old = _read(path)
        if old is not None and not self._wrote(path, digest(old)):
            raise LeftAloneError(f"'{path.name}' is there already.")
        return path, old


def form_of(name: str, photos: Iterable[Path], wrote: Callable[[Path, str], bool]) -> Form:
    """Return a form.

    Args:
        name: "sidecar", "embed" or "txt".
        photos: all of them.
        wrote: returns whether this program wrote a file with a given digest.
    """
    if name == "txt":
        return TextFile(photos, wrote)
    return Sidecar() if name == "sidecar" else Embedded()


class CsvTable:
    """The CSV.

    Args:
        path: the file.
        log: of the library; it knows what was appended last.

    Raises:
        DatasetError: the file is not the one that was written before.
    """

    def __init__(self, path: Path, log: LibraryLog) -> None:
        self.path = path
        self._log = log
        if _size(path) and log.table is None:
            raise DatasetError(f"{path} is there already. Name another file with --out.")

    def check(self, photo: Path, data: bytes) -> None:
        """A table changes nothing that a person wrote."""

    def append(self, results: Sequence[tuple[Row, Result]], by: str) -> None:
        """Append the rows of captions that are to be written, and finish all of them in the log.

        Raises:
            DatasetError: somebody has changed the file, or it cannot be written.
        """
        rows = [
            replace(r, photo=printable(r.photo)) for r, result in results if result == "written"
        ]
        with self._log.locked():
            try:
                self._complete()
                last = self._log.table
                start, crc = (last.end, last.crc) if last else (0, 0)
                text = to_csv(rows, header=start == 0)
                table = Table(start, text, zlib.crc32(text.encode(), crc))
                self._log.finish(results, by, table)
                self._complete()
            except OSError as error:
                raise DatasetError(f"{self.path} cannot be written: {error.strerror}.") from error

    def _complete(self) -> None:
        """Write the rows that the log has last, unless they are there.

        Raises:
            DatasetError: the file does not end where it ended before them.
        """
        last, size = self._log.table, _size(self.path)
        if last is None or size == last.end:
            return
        if not last.start <= size < last.end:
            raise DatasetError(
                f"{self.path} was changed since the last row was written. Name another file with "
                "--out."
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.truncate(last.start)
            file.write(last.text.encode())
            file.flush()
            os.fsync(file.fileno())


def table_is_unchanged(path: Path, table: Table) -> bool:
    """Tell whether a CSV holds what was written to it and nothing else."""
    return _size(path) == table.end and zlib.crc32(path.read_bytes()) == table.crc


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(path: Path) -> bytes | None:
    try:
        return read_regular_file(path, _MOST_SIDECAR_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(f"'{path.name}' cannot be read: {error.strerror}.") from error
