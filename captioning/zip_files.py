"""Opening a zip archive, and the names of the files in it."""

import contextlib
import os
import unicodedata
import zipfile
from pathlib import Path
from typing import BinaryIO

__all__ = ["name_in_zip", "open_zip"]

MAX_DIRECTORY = 20_000_000
"""Most bytes of an archive's directory: 200,000 files with names of 50 letters."""

_SAYS_UTF8 = 0x800
_END, _END_64, _LOCATOR_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_LONGEST_END = 22 + 65_535  # with a comment
_BEFORE_END_64 = 56 + 20  # the end of a large archive, and where it is


def open_zip(source: Path | BinaryIO) -> zipfile.ZipFile:
    """Open an archive for reading, unless its directory takes many seconds to read.

    Raises:
        zipfile.BadZipFile: it is not an archive, or its directory has more than 20 MB.
        OSError: it cannot be read.
    """
    with open(source, "rb") if isinstance(source, Path) else contextlib.nullcontext(source) as file:
        if _directory_bytes(file) > MAX_DIRECTORY:
            raise zipfile.BadZipFile(
                f"the list of its files is longer than {MAX_DIRECTORY // 10**6} MB"
            )
    return zipfile.ZipFile(source)


def _directory_bytes(file: BinaryIO) -> int:
    """Return how long the archive says that its directory is; 0 if it is not an archive."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _LONGEST_END - _BEFORE_END_64))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0:
        return 0
    large = end - _BEFORE_END_64
    if large >= 0 and tail[large:].startswith(_END_64) and tail[end - 20 :].startswith(_LOCATOR_64):
        return int.from_bytes(tail[large + 40 : large + 48], "little")
    return int.from_bytes(tail[end + 12 : end + 16], "little")


def name_in_zip(member: zipfile.ZipInfo) -> str:
    """Return the name of a member, in Unicode's composed form.

    macOS writes names in UTF-8 without declaring it, so Python reads them as MS-DOS names.
    """
    name = member.filename
    if not member.flag_bits & _SAYS_UTF8:
        with contextlib.suppress(UnicodeError):  # really a name of MS-DOS
            name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name)
