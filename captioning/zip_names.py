"""The names of files in a zip archive, also if their encoding is not declared."""

import contextlib
import unicodedata
import zipfile

__all__ = ["name_in_zip"]

_SAYS_UTF8 = 0x800


def name_in_zip(member: zipfile.ZipInfo) -> str:
    """Return the name of a member, in Unicode's composed form.

    macOS writes names in UTF-8 without declaring it, so Python reads them as MS-DOS names.
    """
    name = member.filename
    if not member.flag_bits & _SAYS_UTF8:
        with contextlib.suppress(UnicodeError):  # really a name of MS-DOS
            name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name)
