"""Opening a zip archive, and the names of the files in it."""

import contextlib
import zipfile
from pathlib import Path
from typing import BinaryIO

from captioning.text import composed

MAX_DIRECTORY = 20_000_000
"""Most bytes of an archive's directory: 200,000 files with names of 50 letters."""

_SAYS_UTF8 = 0x800
_DIRECTORY_BYTES = 5  # its place in what zipfile reads from the end of an archive


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
    """Return how long the archive says that its directory is; 0 if it is not an archive.

    An archive may say this in several places, and versions of Python differ in which they believe,
    so zipfile itself is asked.
    """
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    return int(end[_DIRECTORY_BYTES]) if end else 0


def name_in_zip(member: zipfile.ZipInfo) -> str:
    """Return the name of a member, in Unicode's composed form.

    macOS writes names in UTF-8 without declaring it, so Python reads them as MS-DOS names.
    """
    name = member.filename
    if not member.flag_bits & _SAYS_UTF8:
        with contextlib.suppress(UnicodeError):  # really a name of MS-DOS
            name = name.encode("cp437").decode("utf-8")
    return composed(name)
