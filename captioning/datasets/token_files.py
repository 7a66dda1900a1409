"""Read caption files with a photo and a caption in each line, such as Flickr8k's token file."""

import re
from pathlib import Path

from captioning.datasets.assembly import Row
from captioning.datasets.data_issues import Oddities
from captioning.datasets.text_files import read_lines
from captioning.errors import DatasetError

# Flickr8k: a.jpg#0<TAB>caption.  Flickr8k-CN: a#zhc#0 caption.
_TOKEN_ROW = re.compile(r"(?P<name>.+?)(#[a-z]{2,4})?#\d+[\t ]+(?P<caption>.*)")

MARKS = re.compile(r"^(?:<start>|startseq|<bos>)\s+|(?<!\s)\s++(?:<end>|endseq|<eos>)$")
"""The marks that tutorials put around a caption, which are not part of it."""


def has_tokens(start: str) -> bool:
    """Return whether a file with this beginning has rows `photo.jpg#0<TAB>caption`."""
    return bool(_TOKEN_ROW.match(start.lstrip()))


def read_token_file(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read rows of the form `photo.jpg#0<TAB>caption`, or `photo#zhc#0 caption`.

    Args:
        path: The file.
        oddities: Receives lines in another form.
        encoding: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, is not text, or has no such line.
    """
    rows = []
    for number, line in enumerate(read_lines(path, encoding, oddities.decisions), start=1):
        if match := _TOKEN_ROW.fullmatch(line):
            rows.append(Row(match["name"].strip(), match["caption"]))
        else:
            oddities.add_unreadable(f"line {number}", blank=not line.strip())
    if not rows:
        raise DatasetError(
            f"'{path}' contains no captions: none of its lines has the form 'photo.jpg#0', a tab, "
            "and the caption."
        )
    return rows


def has_descriptions(start: str) -> bool:
    """Return whether a file with this beginning has rows `photo<TAB>caption`, as in tutorials."""
    return _described(start.lstrip().partition("\n")[0]) is not None


def read_descriptions(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read rows of a photo, with or without its extension, a tab and a caption.

    Without a tab, the first blank follows the photo's name, which must then have a digit.  Marks
    around the caption, such as `startseq` and `endseq`, are left out.

    Args:
        path: The file.
        oddities: Receives lines in another form.
        encoding: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, or is not text.
    """
    rows = []
    for number, line in enumerate(read_lines(path, encoding, oddities.decisions), start=1):
        if row := _described(line):
            rows.append(row)
        else:
            oddities.add_unreadable(f"line {number}", blank=not line.strip())
    return rows


def _described(line: str) -> Row | None:
    name, tab, caption = line.strip().partition("\t")
    if not tab:
        name, _, caption = line.strip().partition(" ")
    if not caption or not (tab or any(map(str.isdigit, name))):
        return None
    return Row(name.strip(), MARKS.sub("", caption.strip()))
