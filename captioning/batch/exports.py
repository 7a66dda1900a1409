"""Rows as files: CSV, JSON lines, a text file per photo, COCO results."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import PurePosixPath

from captioning.batch.captioning import Row
from captioning.csv_text import BOM, guarded_row

__all__ = ["COLUMNS", "TEXTS", "to_coco", "to_csv", "to_jsonl", "to_texts"]

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
    writer.writerows(guarded_row(row.to_dict(), TEXTS) for row in rows)
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
