"""Rows as files: CSV, JSON lines, a text file per photo, COCO results, and a CSV that grows.

`Journal` reads the CSV that it appends to, so that an interrupted job goes on where it stopped.
"""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path, PurePosixPath

from captioning.batch.captioning import PERSON, Row
from captioning.csv_text import BOM, guarded_row, unguarded
from captioning.datasets.text_files import read_text
from captioning.errors import DatasetError
from captioning.storage import write_text

COLUMNS = tuple(field.name for field in fields(Row))
TEXTS = ("photo", "caption", "by", "error")
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?0*(\d+)")


def to_csv(rows: Iterable[Row], *, header: bool = True) -> str:
    """Write rows as CSV, a photo a line; Excel opens it, and runs no name as a formula.

    Args:
        rows: of any number.
        header: whether a byte-order mark and the names of the columns come first.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    if header:
        buffer.write(BOM)
        writer.writeheader()
    writer.writerows(guarded_row(vars(row), TEXTS) for row in rows)
    return buffer.getvalue()


def to_jsonl(rows: Iterable[Row]) -> str:
    """Write rows as JSON, an object a line."""
    return "".join(json.dumps(row.to_dict(), ensure_ascii=False) + "\n" for row in rows)


def to_texts(rows: Iterable[Row]) -> bytes:
    """Write a zip of one text file a captioned photo, named like it, as training tools expect.

    Photos whose names differ in their endings alone keep them: `a.jpg.txt` and `a.png.txt`.
    """
    written = [row for row in rows if row.caption]
    stems = Counter(str(_inside(row.photo).with_suffix("")) for row in written)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in written:
            path = _inside(row.photo)
            alone = stems[str(path.with_suffix(""))] == 1
            name = path.with_suffix(".txt") if alone else path.with_name(path.name + ".txt")
            archive.writestr(str(name), row.caption + "\n")
    return buffer.getvalue()


def to_coco(rows: Sequence[Row]) -> str:
    """Write captions as COCO results.  The id is the number in a COCO name, else the name."""
    results = [
        {
            "image_id": _coco_id(row.photo),
            "caption": row.caption,
            "confidence": row.confidence,
            "familiar": row.familiar,
        }
        for row in rows
        if row.caption
    ]
    return json.dumps(results, ensure_ascii=False)


def _inside(name: str) -> PurePosixPath:
    """Keep a name of somebody's zip inside whatever folder ours is unpacked to."""
    parts = [p for p in PurePosixPath(name.replace("\\", "/")).parts if p not in ("/", "..", ".")]
    return PurePosixPath(*(part.replace(":", "_") for part in parts or ["photo"]))


def _coco_id(name: str) -> int | str:
    found = _COCO_NAME.fullmatch(PurePosixPath(name).stem)
    return int(found.group(1)) if found else name


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
        try:
            # Files of older versions have fewer columns; what is missing stays empty.
            named = tuple(reader.fieldnames or ())
            if whole and (len(named) < len(_FIRST_COLUMNS) or named != COLUMNS[: len(named)]):
                raise DatasetError(
                    f"{self.path} is there already and is no file of captions: its first line "
                    f"should be {','.join(COLUMNS)}. Name another file."
                )
            return [_row(values) for values in reader]
        except (csv.Error, TypeError, ValueError) as error:  # a cell may be too long for csv
            raise DatasetError(
                f"{self.path}: line {reader.reader.line_num} is damaged. Mend it, or name another "
                "file."
            ) from error


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
