"""Read a table of captions from an Excel workbook (`.xlsx`), with openpyxl."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from captioning.datasets.assembly import Row
from captioning.datasets.caption_files import rows_of_table
from captioning.datasets.data_issues import Oddities
from captioning.errors import DatasetError
from captioning.zip_files import open_zip

__all__ = ["has_workbook", "read_workbook"]

_MAX_BYTES = 500_000_000
"""Unpacked; a workbook is a zip archive, and a hostile one grows a thousandfold."""


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
    try:
        with open_zip(Path(path)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MAX_BYTES:
                raise DatasetError(f"'{path}' unpacks to more than {_MAX_BYTES // 10**6} MB.")
        book = load_workbook(path, read_only=True, data_only=True)
        sheets = {sheet.title: _csv_lines(sheet.values) for sheet in book.worksheets}
        book.close()
    except DatasetError:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part causes
        raise DatasetError(
            f"'{path}' cannot be read as an Excel workbook ({error}). Open it in Excel and save it "
            "again, or save the sheet as 'CSV UTF-8'."
        ) from error
    failed: DatasetError | None = None
    for title, lines in sheets.items():
        try:
            return rows_of_table(lines, f"{path} (sheet {title})", oddities)
        except DatasetError as error:
            failed = failed or error
    raise failed or DatasetError(f"'{path}' contains no sheet.")


def _csv_lines(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return the lines of a sheet as comma-separated text; lines in a cell become one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        cells = [" ".join(str(cell).split()) if cell is not None else "" for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        writer.writerow(cells)
    return out.getvalue().split("\n")[:-1]
