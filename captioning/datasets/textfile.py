"""Reading the text files that come with data sets, whichever program last saved them."""

import codecs
import re
from pathlib import Path

from captioning.errors import DatasetError

__all__ = ["read_lines"]

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Text has next to no control characters, random bytes have one in nine.
_CONTROL_SHARE = 0.001
# Flickr8k's captions are 3 MB and COCO's annotations about 90.
_MAX_BYTES = 500_000_000


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without their ends and without blank ones at its end.

    UTF-8 with or without a byte-order mark, UTF-16 with one, and otherwise Latin-1 in the form
    Windows writes it (cp1252).

    Raises:
        DatasetError: The file cannot be read, or it is no text.
    """
    text = _decode(_read(path), path).rstrip("\r\n\t ")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if text else []


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DatasetError(
                f"'{path}' is too large for a caption file: more than {_MAX_BYTES // 10**6} MB."
            )
        return path.read_bytes()
    except OSError as error:
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
