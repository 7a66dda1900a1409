"""Read a table of captions from an Excel workbook (`.xlsx`), with openpyxl."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from captioning.datasets.assembly import Row
from captioning.datasets.data_issues import Oddities
from captioning.datasets.tables import MAX_COLUMNS, rows_of_table
from captioning.errors import DatasetError
from captioning.storage import open_regular_file
from captioning.zip_files import open_zip

# Unpacked; a workbook is a zip archive, and a hostile one grows a thousandfold.
_MAX_BYTES, _MAX_RATIO, _SMALL = 500_000_000, 50, 20_000_000
# Of all sheets together.  Excel has no more rows in a sheet.
_MAX_ROWS, _MAX_CELLS, _MAX_CHARACTERS = 1_048_576, 20_000_000, 200_000_000


def has_workbook(start: str) -> bool:
    """Return whether a file with this beginning is a zip archive, as every workbook is."""
    return start.startswith("PK\x03\x04")


def read_workbook(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read the first sheet with a table of captions; columns are named as in a CSV file.

    Args:
        path: The workbook.
        oddities: Receives rows that do not match the first line.
        encoding: Ignored; a workbook declares its own.

    Raises:
        DatasetError: openpyxl is missing, the file is damaged, or no sheet is a table of captions.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DatasetError(
            f"'{path}' is an Excel workbook; reading it needs openpyxl (pip install openpyxl). Or "
            "save the sheet as 'CSV UTF-8' in Excel."
        ) from None
    failed: DatasetError | None = None
    used = _Used(path)
    try:
        with open_regular_file(path) as file:
            _check_size(path, file)
            for sheet in load_workbook(file, read_only=True, data_only=True).worksheets:
                try:
                    sheet.reset_dimensions()  # a file may give any, and rows are filled up to them
                    lines = _csv_lines(sheet.values, used)
                    return rows_of_table(lines, f"{path} (sheet {sheet.title})", oddities)
                except DatasetError as error:
                    failed = failed or error
    except DatasetError:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part causes
        raise DatasetError(
            f"'{path}' cannot be read as an Excel workbook ({error}). Open it in Excel and save it "
            "again, or save the sheet as 'CSV UTF-8'."
        ) from error
    raise failed or DatasetError(f"'{path}' contains no sheet.")


def _check_size(path: Path, file: BinaryIO) -> None:
    with open_zip(file) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > _MAX_BYTES:
        raise DatasetError(f"'{path}' unpacks to more than {_MAX_BYTES // 10**6} MB.")
    if unpacked > _SMALL and unpacked > _MAX_RATIO * path.stat().st_size:
        raise DatasetError(f"'{path}' would grow to more than {_MAX_RATIO} times its size.")


@dataclass
class _Used:
    """What the sheets of a workbook have so far: a small one may ask for billions of cells."""

    path: Path
    rows: int = 0
    cells: int = 0
    characters: int = 0

    def add(self, row: tuple[Any, ...], cells: Sequence[str]) -> None:
        """Count a row.

        Args:
            row: With the empty cells at its end.
            cells: Its texts.

        Raises:
            DatasetError: The sheets are too large.
        """
        self.rows += 1
        self.cells += len(row)
        self.characters += sum(map(len, cells))
        for number, most, noun in (
            (len(cells), MAX_COLUMNS, "columns"),
            (self.rows, _MAX_ROWS, "rows"),
            (self.cells, _MAX_CELLS, "cells"),
            (self.characters, _MAX_CHARACTERS, "characters"),
        ):
            if number > most:
                raise DatasetError(
                    f"'{self.path}' has more than {most:,} {noun}. Keep only the columns with the "
                    "photo, its captions and its split, and the rows with a photo."
                )


def _csv_lines(rows: Iterable[tuple[Any, ...]], used: _Used) -> list[str]:
    """Return the lines of a sheet as comma-separated text; lines in a cell become one."""
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append), lineterminator="")
    for row in rows:
        width = len(row)
        while width and row[width - 1] is None:
            width -= 1
        texts = [str(cell) if cell is not None else "" for cell in row[:width]]
        used.add(row, texts)
        cells = [" ".join(text.split()) for text in texts]
        while cells and not cells[-1]:
            cells.pop()
        writer.writerow(cells)
    return lines
