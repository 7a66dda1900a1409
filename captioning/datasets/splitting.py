"""Which photos to train on, to choose by and to test with, where nobody has said so."""

import hashlib
import re
from collections.abc import Iterable

from captioning.datasets.data_issues import Oddities

__all__ = ["known_split", "split_by_name", "split_by_names"]

_WRITTEN = {
    "train": ("train", "training", "restval"),
    "dev": ("dev", "val", "valid", "validation", "development"),
    "test": ("test", "testing"),
}
_KNOWN = {word: split for split, words in _WRITTEN.items() for word in words}


def known_split(text: str) -> str | None:
    """Return the split that a word in a file stands for; None for any other word.

    >>> known_split("Val"), known_split("restval"), known_split("3")
    ('dev', 'train', None)
    """
    return _KNOWN.get(re.sub(r"[^a-z]", "", text.lower()))


def split_by_name(name: str) -> str:
    """Return a split drawn from a photo's name: "train" for 80 %, "dev" and "test" for 10 % each.

    The same name gives the same split on every machine, in every folder and whichever photos lie
    beside it, so adding photos moves none from one split to another.
    """
    digest = hashlib.sha256(name.rsplit("/", 1)[-1].encode(errors="surrogateescape")).digest()
    tenth = int.from_bytes(digest[:8], "big") % 10
    return {8: "dev", 9: "test"}.get(tenth, "train")


def split_by_names(names: Iterable[str], oddities: Oddities) -> dict[str, str]:
    """Draw a split for each name, and note in `oddities` that this was done."""
    oddities.decisions.append(
        "No list says which photos are for training, so a number drawn from each photo's name "
        "does: 80 % train, 10 % dev, 10 % test, the same every time."
    )
    return {name: split_by_name(name) for name in names}
