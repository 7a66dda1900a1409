"""The two kinds of caption file there are beside JSON: tables, and Flickr's token files."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from captioning.datasets.assembly import Row
from captioning.datasets.data_issues import Tally
from captioning.datasets.photofiles import is_photo
from captioning.datasets.textfile import read_lines
from captioning.errors import DatasetError

__all__ = ["is_table_header", "read_table", "read_token_file"]

_TOKEN_ROW = re.compile(r"(?P<name>.+?)#\d+\t(?P<caption>.*)")

_DELIMITERS = (",", "\t", ";", "|")
# Column names in lower case without spaces and underscores, the clearest first.
_IMAGE = (
    *("image", "imagename", "imagefile", "imagefilename", "imagepath", "img", "photo"),
    *("photoname", "photofile", "picture", "filename", "file", "filepath", "path", "name"),
    *("imageid", "photoid"),
)
_CAPTION = ("caption", "captions", "text", "comment", "comments", "sentence", "description")
_SPLIT = ("split", "set", "subset", "partition")


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold what, and what stands between two columns."""

    delimiter: str
    width: int
    image: int
    captions: tuple[int, ...]
    split: int | None
    in_first_line: bool = True


def read_token_file(path: Path, unreadable: Tally) -> list[Row]:
    """Read rows of the form `photo.jpg#0<TAB>caption`.

    Args:
        path: The file.
        unreadable: Where to count lines of another form; added to.

    Raises:
        DatasetError: The file cannot be read, is no text, or has no such line.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if match := _TOKEN_ROW.fullmatch(line):
            rows.append(Row(match["name"].strip(), match["caption"]))
        else:
            unreadable.add(f"line {number}")
    if not rows:
        raise DatasetError(
            f"'{path}' holds no captions: none of its lines has the form 'photo.jpg#0', a tab, "
            "and the caption."
        )
    return rows


def is_table_header(line: str) -> bool:
    """Tell whether a line names a column for the photo and one for the caption."""
    return _named_columns(line) is not None


def read_table(
    path: Path, unreadable: Tally, mend: Callable[[list[str]], list[str]] | None = None
) -> list[Row]:
    """Read a table of captions: CSV, or with tabs, semicolons or bars in place of the commas.

    The columns are told by the names in the first line, such as 'image', 'file_name', 'caption',
    'text', 'comment' and 'split'; columns of other names are passed over, and several columns
    of captions ('caption_1', 'caption_2') are several captions.  Without such a first line, a
    table whose first line begins with a photo's name is read too: the caption comes next, or after
    the caption's number.

    Args:
        path: The file.
        unreadable: Where to count rows that do not fit the first line; added to.
        mend: Gets the cells of a row that does not fit, and returns them mended if it can.

    Raises:
        DatasetError: The file cannot be read, is no text, has no such columns, or no row.
    """
    lines = read_lines(path)
    columns = _columns(lines[0] if lines else "")
    if columns is None:
        raise DatasetError(
            f"'{path}' does not begin with the names of its columns, such as 'image,caption', but "
            f"with '{lines[0][:80] if lines else ''}'. It may be the caption file of another data "
            "set."
        )
    rows: list[Row] = []
    for number, cells in _records(lines, columns.delimiter):
        if number == 1 and columns.in_first_line:
            continue
        cells = _fitted(cells, columns, mend)
        if len(cells) != columns.width or not cells[columns.image].strip():
            unreadable.add(f"line {number}")
            continue
        split = None if columns.split is None else cells[columns.split].strip()
        name = cells[columns.image].strip()
        rows += [Row(name, cells[place], split or None) for place in columns.captions]
    if not rows:
        raise DatasetError(f"'{path}' holds no captions: there is no row below its first line.")
    return rows


def _columns(line: str) -> _Columns | None:
    return _named_columns(line) or _unnamed_columns(line)


def _named_columns(line: str) -> _Columns | None:
    for delimiter in _DELIMITERS:
        names = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in _cells(line, delimiter)]
        image = next((names.index(name) for name in _IMAGE if name in names), None)
        captions = next(filter(None, (_numbered(names, name) for name in _CAPTION)), ())
        split = next((names.index(name) for name in _SPLIT if name in names), None)
        if image is not None and captions:
            return _Columns(delimiter, len(names), image, captions, split)
    return None


def _numbered(names: Sequence[str], name: str) -> tuple[int, ...]:
    """Return where 'caption' stands, or else 'caption1', 'caption2' and so on."""
    if name in names:
        return (names.index(name),)
    return tuple(i for i, found in enumerate(names) if re.fullmatch(rf"{name}\d+", found))


def _unnamed_columns(line: str) -> _Columns | None:
    for delimiter in _DELIMITERS:
        cells = _cells(line, delimiter)
        if len(cells) > 1 and is_photo(cells[0].strip()):
            last = 2 if len(cells) > 2 and cells[1].strip().isdigit() else 1
            return _Columns(delimiter, last + 1, 0, (last,), None, in_first_line=False)
    return None


def _records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of its line.

    A table that obeys the rules may have line breaks inside quotes.  In one that does not, such
    as a table with an unclosed quote, every line is a record: then no quote can swallow the rows
    below it.
    """
    try:
        reader = csv.reader(
            [f"{line}\n" for line in lines],
            delimiter=delimiter,
            quoting=_quoting(delimiter),
            strict=True,
        )
        records = [(reader.line_num, cells) for cells in reader]
    except csv.Error:
        records = [(n, _cells(line, delimiter)) for n, line in enumerate(lines, start=1)]
    yield from records


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, quoting=_quoting(delimiter)), [])
    except csv.Error:
        return []


def _quoting(delimiter: str) -> Literal[0, 3]:
    # Flickr30k's bars need no quotes around captions, so those there are part of a caption.
    return csv.QUOTE_NONE if delimiter == "|" else csv.QUOTE_MINIMAL


def _fitted(
    cells: list[str], columns: _Columns, mend: Callable[[list[str]], list[str]] | None
) -> list[str]:
    if len(cells) > columns.width and columns.captions == (columns.width - 1,):
        # Some tables leave captions with commas unquoted; they are the last column.
        last = columns.width - 1
        return [*cells[:last], columns.delimiter.join(cells[last:])]
    if len(cells) != columns.width and mend is not None:
        return mend(cells)
    return cells
