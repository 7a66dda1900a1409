"""The CSV of a library, appended to by any number of processes, none of which may be lost in it."""

import os
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from captioning.batch.captioning import Row
from captioning.batch.exports import to_csv
from captioning.batch.library.log import LibraryLog, Result, Table
from captioning.batch.sources import printable
from captioning.errors import DatasetError


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
