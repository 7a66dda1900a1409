"""Reading the text files that come with data sets, whichever program last saved them."""

import codecs
import errno
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from captioning.errors import DatasetError
from captioning.regular_files import read_regular_file

__all__ = ["read_json", "read_lines", "read_text"]

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Text has next to no control characters, random bytes have one in nine.
_CONTROL_SHARE = 0.001
# Flickr8k's captions are 3 MB, COCO's annotations about 90, Karpathy's file of COCO 144.
_MAX_BYTES = 500_000_000


def read_text(path: Path) -> str:
    """Return a text file whole, its lines ending in a newline character alone.

    UTF-8 with or without a byte-order mark, UTF-16 with one, and otherwise Latin-1 in the form
    Windows writes it (cp1252).

    Raises:
        DatasetError: The file cannot be read, or it is no text.
    """
    return _decode(_read(path), path).replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without their ends and without blank ones at its end.

    Raises:
        DatasetError: The file cannot be read, or it is no text.
    """
    text = read_text(path).rstrip("\n\t ")
    return text.split("\n") if text else []


def read_json(path: Path, without: Collection[str] = ()) -> Any:
    """Return what a JSON file holds.

    Args:
        path: The file.
        without: Keys to leave out wherever they stand, so that what nobody asks for takes no
            memory: most of Karpathy's file of COCO is one.

    Raises:
        DatasetError: The file cannot be read, or it is no JSON.
    """

    def lighter(found: dict[str, Any]) -> dict[str, Any]:
        for key in without:
            found.pop(key, None)
        return found

    text = _decode(_read(path), path)
    try:
        return json.loads(text, object_hook=lighter if without else None)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"'{path}' is damaged or cut short: it is not JSON ({error}). Download or unpack it "
            "again."
        ) from error


def _read(path: Path) -> bytes:
    try:
        return read_regular_file(path, _MAX_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise DatasetError(
                f"'{path}' is too large for a caption file: more than {_MAX_BYTES // 10**6} MB."
            ) from error
        raise DatasetError(f"'{path}' cannot be read ({error.strerror}).") from error


def _decode(data: bytes, path: Path) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(_CONTROL.findall(text)) <= _CONTROL_SHARE * len(text):
            return text
    raise DatasetError(
        f"'{path}' is not a text file: its content is binary. The caption file may be damaged, or "
        "another file may bear its name; copy or unpack it again."
    )
