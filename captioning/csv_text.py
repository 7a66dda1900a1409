"""CSV for spreadsheets: with a byte-order mark, and no cell that is run as a formula."""

import re
from collections.abc import Mapping, Sequence

BOM = "\ufeff"
"""The first character of a CSV for Excel, which otherwise assumes a Windows encoding."""

# A leading quote prevents that a spreadsheet runs the cell; text that has one gets another, so that
# removing one restores the text.  The last four are the wide forms of East Asian keyboards.
_BEGINNING = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile("'*" + _BEGINNING)
_GUARDED = re.compile("'+" + _BEGINNING)


def guarded(text: str) -> str:
    """Return the text of a cell, with a leading quote if a spreadsheet would run it.

    >>> guarded("=1+1.jpg"), guarded("\uff1d1"), guarded("a dog")
    ("'=1+1.jpg", "'\uff1d1", 'a dog')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """Return the text that `guarded` was given."""
    return cell[1:] if _GUARDED.match(cell) else cell


def guarded_row(row: Mapping[str, object], texts: Sequence[str]) -> dict[str, object]:
    """Return a row with the columns `texts` guarded; numbers may begin with a minus."""
    return {name: guarded(str(value)) if name in texts else value for name, value in row.items()}
