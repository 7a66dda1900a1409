"""Read tables of captions: the names of their columns, and their rows."""

import ast
import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from captioning.datasets.assembly import Row, check_number
from captioning.datasets.data_issues import Oddities
from captioning.datasets.photo_files import is_photo
from captioning.datasets.text_files import read_lines
from captioning.datasets.token_files import has_tokens
from captioning.errors import DatasetError

# Column names in lower case without spaces and underscores, least ambiguous first.
IMAGE_KEYS = (
    *("image", "imagename", "imagefile", "imagefilename", "imagepath", "img", "photo"),
    *("photoname", "photofile", "picture", "filename", "file", "filepath", "path", "name"),
    *("imageid", "photoid", "imgid"),
)
CAPTION_KEYS = (
    *("caption", "captions", "text", "comment", "comments", "sentence", "description", "raw"),
    *("sentences", "descriptions", "texts", "alttext", "title"),
    *("captionstr", "referencestrs", "sent", "sents", "alt", "prompt", "suffix"),
)
SPLIT_KEYS = ("split", "set", "subset", "partition")


def column_key(name: str) -> str:
    """Normalise a column name as in the lists above.

    >>> column_key("File_Name")
    'filename'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def is_caption_key(column: str) -> bool:
    """Return whether a column contains captions, like 'caption' and 'caption2'."""
    return column.rstrip("0123456789") in CAPTION_KEYS


def numbered(names: Sequence[str], name: str) -> tuple[int, ...]:
    """Return the index of 'caption', or else those of 'caption1', 'caption2' and so on."""
    if name in names:
        return (names.index(name),)
    return tuple(
        i
        for i, found in enumerate(names)
        if found.startswith(name) and re.fullmatch(r"\d+", found[len(name) :])
    )


_DELIMITERS = (",", "\t", ";", "|")
# Excel writes the delimiter into a separate first line.
_EXCEL_DELIMITER = re.compile(r'"?sep=(.)"?[,;\t]*', re.IGNORECASE)
_QUOTED = r'"(?:[^"\\]|\\.)*+"|' r"'(?:[^'\\]|\\.)*+'"
_TEXTS = re.compile(_QUOTED, re.DOTALL)
_LIST = re.compile(rf"\[(?:[,\s]|{_QUOTED})*+\]", re.DOTALL)
MAX_COLUMNS = 1_000
"""The most columns of a table."""

# Of one record; without quotes, a caption may have many.
_MAX_DELIMITERS = 100_000


@dataclass(frozen=True)
class _Columns:
    """The columns of a table and their delimiter."""

    delimiter: str
    width: int
    image: int
    captions: tuple[int, ...]
    split: int | None
    in_first_line: bool = True

    @cached_property
    def needed(self) -> int:
        """The number of cells up to the last that a row must have."""
        return max(self.image, *self.captions) + 1


def has_table(start: str) -> bool:
    """Return whether a file with this beginning is a table of photos and captions."""
    lines = _without_delimiter(start.lstrip("\n").split("\n"))[1]
    return not has_tokens(start) and _columns(lines) is not None


def read_table(
    path: Path,
    oddities: Oddities,
    encoding: str | None = None,
    mend: Callable[[list[str]], list[str]] | None = None,
) -> list[Row]:
    """Read a table of captions: CSV, or with tabs, semicolons or bars instead of commas.

    The first line names the columns, such as 'image', 'file_name', 'caption', 'text', 'comment' and
    'split'; other columns are ignored.  Several caption columns ('caption_1', 'caption_2') or a
    list in a cell are several captions.  Without known column names, the photo column is the one
    with photo file names, and the caption is the next column, or the one after the caption number.

    Args:
        path: The file.
        oddities: Receives rows that do not match the first line.
        encoding: As for `read_text`.
        mend: Takes the cells of a row that does not match, and repairs them if possible.

    Raises:
        DatasetError: The file cannot be read, is not text, or has no such columns or no rows.
    """
    return rows_of_table(read_lines(path, encoding, oddities.decisions), path, oddities, mend)


def rows_of_table(
    lines: Sequence[str],
    source: Path | str,
    oddities: Oddities,
    mend: Callable[[list[str]], list[str]] | None = None,
) -> list[Row]:
    """Read the lines of a table of captions; see `read_table`.

    Args:
        lines: Of the table.
        source: Its name in error messages.
        oddities: As for `read_table`.
        mend: As for `read_table`.

    Raises:
        DatasetError: There are no such columns or no rows.
    """
    skipped, lines = _without_delimiter(lines)
    if lines and _is_too_wide(lines[0]):
        raise DatasetError(
            f"The first line of '{source}' has more than {MAX_COLUMNS:,} cells. Keep only the "
            "columns with the photo, its captions and its split."
        )
    columns = _columns(lines)
    if columns is None:
        raise DatasetError(
            f"'{source}' does not start with the names of its columns, such as 'image,caption', "
            f"but with '{lines[0][:80] if lines else ''}'. It may be the caption file of another "
            "data set."
        )
    rows: list[Row] = []
    for number, cells in _records(lines, columns.delimiter):
        if columns.in_first_line and number == 1:
            continue
        place = f"line {number + skipped}"
        found = len(cells)
        cells = _fitted(cells, columns, mend)
        if found > columns.width and not (mend and len(cells) == columns.width):
            oddities.long_rows.add(place)
        if len(cells) != columns.width or not cells[columns.image].strip():
            oddities.add_unreadable(place, blank=not "".join(cells).strip())
            continue
        split = None if columns.split is None else cells[columns.split].strip()
        name = cells[columns.image].strip()
        rows += [Row(name, cells[place], split or None) for place in columns.captions]
        check_number(rows, source)
    if not rows:
        raise DatasetError(f"'{source}' contains no captions: {_no_row(oddities)}")
    return _with_lists(rows, source)


def _without_delimiter(lines: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Return the lines from the column names on, and the number of lines before them."""
    skipped = 0
    while skipped < len(lines) and (
        not lines[skipped].strip() or _EXCEL_DELIMITER.fullmatch(lines[skipped].strip())
    ):
        skipped += 1
    return skipped, lines[skipped:]


def _columns(lines: Sequence[str]) -> _Columns | None:
    first, second = (*lines[:2], "", "")[:2]
    if _is_too_wide(first):
        return None
    return _named_columns(first) or _unnamed_columns(first) or _columns_by_content(first, second)


def _is_too_wide(line: str) -> bool:
    return max(map(line.count, _DELIMITERS)) >= MAX_COLUMNS


def _named_columns(line: str) -> _Columns | None:
    for delimiter in _DELIMITERS:
        names = [column_key(cell) for cell in _cells(line, delimiter)]
        image = next((names.index(name) for name in IMAGE_KEYS if name in names), None)
        captions = next(filter(None, (numbered(names, name) for name in CAPTION_KEYS)), ())
        split = next((names.index(name) for name in SPLIT_KEYS if name in names), None)
        if image is not None and captions:
            return _Columns(delimiter, len(names), image, captions, split)
    return None


def _unnamed_columns(line: str) -> _Columns | None:
    for delimiter in _DELIMITERS:
        cells = _cells(line, delimiter)
        if len(cells) > 1 and is_photo(cells[0].strip()):
            last = 2 if len(cells) > 2 and cells[1].strip().isdigit() else 1
            return _Columns(delimiter, last + 1, 0, (last,), None, in_first_line=False)
    return None


def _columns_by_content(first: str, second: str) -> _Columns | None:
    """Identify columns with unknown names, such as 'Bild;Satz', by the first row's contents."""
    for delimiter in _DELIMITERS:
        names = [column_key(cell) for cell in _cells(first, delimiter)]
        cells = [cell.strip() for cell in _cells(second, delimiter)]
        image = next((i for i, cell in enumerate(cells) if is_photo(cell)), None)
        if image is None or len(cells) < 2 or len(names) != len(cells):
            continue
        known = next(filter(None, (numbered(names, name) for name in CAPTION_KEYS)), None)
        others = [i for i in range(len(cells)) if i != image and re.search(r"[^\W\d]", cells[i])]
        split = next((names.index(name) for name in SPLIT_KEYS if name in names), None)
        captions = known or tuple(
            sorted((i for i in others if i != split), key=lambda i: -len(cells[i]))[:1]
        )
        if captions:
            named = not is_photo(_cells(first, delimiter)[image].strip())
            return _Columns(delimiter, len(names), image, captions, split, in_first_line=named)
    return None


def _records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with its line number.

    A well-formed table may have line breaks inside quotes.  In a malformed one, as with an unclosed
    quote, every line is a record, so that a quote cannot swallow the rows below it.
    """
    try:
        deque(_strict_records(lines, delimiter), maxlen=0)  # reads all, and keeps nothing
    except csv.Error:
        for number, line in enumerate(lines, start=1):
            simple = line and '"' not in line and len(line) < csv.field_size_limit()
            yield number, line.split(delimiter) if simple else _cells(line, delimiter)
    else:
        yield from _strict_records(lines, delimiter)


def _strict_records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    delimiters = 0

    def counted() -> Iterator[str]:
        nonlocal delimiters
        for line in lines:
            delimiters += line.count(delimiter)
            if delimiters > _MAX_DELIMITERS:
                raise csv.Error("a record has too many cells")
            yield f"{line}\n"

    reader = csv.reader(counted(), delimiter=delimiter, quoting=_quoting(delimiter), strict=True)
    for cells in reader:
        delimiters = 0
        yield reader.line_num, cells


def _cells(line: str, delimiter: str) -> list[str]:
    if line.count(delimiter) > _MAX_DELIMITERS:
        return []
    try:
        return next(csv.reader([line], delimiter=delimiter, quoting=_quoting(delimiter)), [])
    except csv.Error:
        return []


def _quoting(delimiter: str) -> Literal[0, 3]:
    # Flickr30k separates columns by bars without quoting, so quotes are part of a caption.
    return csv.QUOTE_NONE if delimiter == "|" else csv.QUOTE_MINIMAL


def _fitted(
    cells: list[str], columns: _Columns, mend: Callable[[list[str]], list[str]] | None
) -> list[str]:
    """Return the cells of a row aligned with the first line, or unchanged if that is ambiguous."""
    surplus = len(cells) - columns.width
    if surplus > 0 and not "".join(cells[columns.width :]).strip():
        return cells[: columns.width]
    if surplus > 0 and len(columns.captions) == 1:
        # Some tables have unquoted captions with commas.
        at = columns.captions[0]
        joined = columns.delimiter.join(cells[at : at + surplus + 1])
        whole = [*cells[:at], joined, *cells[at + surplus + 1 :]]
        if at == columns.width - 1 or (columns.image > at and is_photo(whole[columns.image])):
            return whole
    if surplus and mend is not None:
        cells = mend(cells)
    if columns.needed <= len(cells) < columns.width:
        return cells + [""] * (columns.width - len(cells))  # only trailing columns are missing
    return cells


def _no_row(oddities: Oddities) -> str:
    if t := oddities.long_rows:
        return (
            f"{t.counted('row has', 'rows have')} more cells than the first line {t.shown()}. Put "
            "captions with commas in quotes."
        )
    if t := oddities.unreadable_rows:
        return f"{t.counted('row is', 'rows are')} blank or garbled {t.shown()}."
    return "there are no rows below its first line."


def _with_lists(rows: list[Row], source: Path | str) -> list[Row]:
    """Split lists into one row per caption, if every caption cell is a list."""
    split: list[Row] = []
    some = False
    for row in rows:
        found = _listed(row.caption) if row.caption.strip() else ()
        if found is None:
            return rows
        some = some or bool(found)
        split += [Row(row.name, text, row.split) for text in found or ("",)]
        check_number(split, source)
    return split if some else rows


def _listed(cell: str) -> tuple[str, ...] | None:
    """Return the texts of a list in JSON, Python or NumPy notation, or None.

    >>> _listed("['a cat', 'a dog']"), _listed("['a cat' 'a dog']"), _listed("a [red] cat")
    (('a cat', 'a dog'), ('a cat', 'a dog'), None)
    """
    cell = cell.strip()
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    try:
        texts = json.loads(cell)
    except (ValueError, RecursionError):
        if not _LIST.fullmatch(cell):
            return None
        try:
            texts = _unquoted(_TEXTS.findall(cell))
        except (ValueError, SyntaxError):
            return None
    return tuple(texts) if all(isinstance(text, str) for text in texts) else None


def _unquoted(texts: list[str]) -> list[str]:
    """Return the contents of Python's texts.

    Raises:
        ValueError: One has a malformed escape.
        SyntaxError: One has a line break, or another malformed escape.
    """
    if any("\\" in text or "\n" in text for text in texts):
        unquoted: list[str] = ast.literal_eval(f"[{','.join(texts)}]")
        return unquoted
    return [text[1:-1] for text in texts]
