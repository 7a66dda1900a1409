"""Names of the columns in tables and the keys in JSON records for photos, captions and splits."""

import re
from collections.abc import Sequence

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
