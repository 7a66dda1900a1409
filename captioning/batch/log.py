"""A CSV that grows row by row, so that an interrupted job goes on where it stopped."""

import csv
import io
from pathlib import Path

from captioning.batch.captioning import PERSON, Row
from captioning.batch.exports import COLUMNS, TEXTS, to_csv
from captioning.csv_text import unguarded
from captioning.datasets.text_files import read_text
from captioning.errors import DatasetError
from captioning.storage import write_text

__all__ = ["Journal"]

_FIRST_COLUMNS = ("photo", "caption", "log_prob", "by", "error", "seconds")
_BOOLEANS = {"True": True, "False": False}


class Journal:
    """Rows on disk.

    Attributes:
        path: the CSV.
        rows: those without an error, by photo; rows with an error are dropped on opening, so
            their photos are tried again.
    """

    def __init__(self, path: str | Path, *, by: str) -> None:
        """Open the CSV, or begin it.

        Args:
            path: where.
            by: the model that writes on; rows of another are not mixed with its own.

        Raises:
            DatasetError: the file is not such a CSV, is of another model, or cannot be written.
        """
        self.path = Path(path)
        self.rows = {row.photo: row for row in self._read() if not row.error}
        others = {row.by for row in self.rows.values()} - {by, PERSON}
        if others:
            raise DatasetError(
                f"{self.path} was written by the model {others.pop()!r}, not by {by!r}. "
                "Name another file, or remove it."
            )
        self._begin()

    def add(self, row: Row) -> None:
        """Append a row; it is on disk when this returns.

        Raises:
            DatasetError: the file cannot be written.
        """
        if not row.error:
            self.rows[row.photo] = row
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(to_csv([row], header=False))
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be written: {error.strerror}.") from error

    def _begin(self) -> None:
        """Write what is kept."""
        try:
            write_text(self.path, to_csv(self.rows.values()))
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be written: {error.strerror}.") from error

    def _read(self) -> list[Row]:
        if not self.path.exists():
            return []
        text = read_text(self.path)
        # A last line without its end was being written when the job was stopped.
        whole = text[: text.rfind("\n") + 1]
        whole = whole.removeprefix("sep=;\n")
        # Excel writes what the country of its user has between columns.
        delimiter = next((d for d in ";\t" if whole.startswith(d.join(_FIRST_COLUMNS))), ",")
        reader = csv.DictReader(io.StringIO(whole, newline=""), delimiter=delimiter)
        # Files of older versions have fewer columns; what is missing stays empty.
        named = tuple(reader.fieldnames or ())
        if whole and (len(named) < len(_FIRST_COLUMNS) or named != COLUMNS[: len(named)]):
            raise DatasetError(
                f"{self.path} is there already and is no file of captions: its first line should "
                f"be {','.join(COLUMNS)}. Name another file."
            )
        try:
            return [_row(values) for values in reader]
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{self.path}: line {reader.line_num} is damaged.") from error


def _row(values: dict[str, str]) -> Row:
    texts = {name: unguarded(values[name]) for name in TEXTS}
    return Row(
        photo=texts["photo"],
        caption=texts["caption"],
        log_prob=_number(values["log_prob"]),
        by=texts["by"],
        error=texts["error"],
        seconds=_number(values["seconds"]) or 0.0,
        confidence=_number(values.get("confidence")),
        familiar=_BOOLEANS.get((values.get("familiar") or "").capitalize()),
        level=values.get("level") or "",
        kind=values.get("kind") or "",
    )


def _number(cell: str | None) -> float | None:
    return float(cell.replace(",", ".")) if cell else None  # Excel may write a decimal comma
