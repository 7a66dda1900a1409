"""Where what was worked out about a data set is kept, so that it is worked out once.

Plain NumPy arrays, read without pickle.  A file that is missing, damaged or of another version is
as good as none: what it held can always be worked out again.
"""

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from captioning.datasets import CaptionDataset
from captioning.storage import data_folder, replacing

__all__ = ["captions_key", "put", "read_arrays", "shelf", "text_array", "texts_of", "write_arrays"]


def shelf(dataset: CaptionDataset) -> Path:
    """Return the folder for what is worked out about the captions of `dataset`."""
    return data_folder() / "explore" / f"{dataset.name}-{captions_key(dataset)}"


def captions_key(dataset: CaptionDataset) -> str:
    """Return 16 hexadecimal digits that change with any name, caption or split.

    `CaptionDataset.fingerprint` speaks of the photo files; this one of what is said about them.
    """
    digest = hashlib.sha256()
    for photo in dataset.photos:
        parts = (photo.name, photo.split or "", *photo.captions)
        digest.update("\0".join(parts).encode(errors="surrogatepass") + b"\n")
    return digest.hexdigest()[:16]


def read_arrays(path: Path, version: int) -> dict[str, np.ndarray] | None:
    """Read arrays that `write_arrays` wrote; None if they are not to be had."""
    try:
        # np.load leaves a damaged file open that it opened itself.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    stored = arrays.pop("version", None)
    return arrays if stored is not None and stored.size == 1 and stored == version else None


def write_arrays(path: Path, version: int, arrays: Mapping[str, np.ndarray]) -> bool:
    """Write arrays beside `path` and move them into place; tell whether that worked.

    A full or read-only disk only costs the time of working it out again.
    """

    def save(file: BinaryIO) -> None:
        np.savez(file, allow_pickle=False, version=np.array(version), **arrays)

    return put(path, save)


def put(path: Path, save: Callable[[BinaryIO], object]) -> bool:
    """Let `save` write the file `path`, and tell whether that worked."""
    try:
        with replacing(path) as part, open(part, "wb") as file:
            save(file)
    except OSError:
        return False
    return True


def text_array(texts: tuple[str, ...]) -> np.ndarray:
    """Write texts without line breaks as bytes, uint8 `(bytes,)`."""
    return np.frombuffer("\n".join(texts).encode(errors="surrogatepass"), np.uint8)


def texts_of(array: np.ndarray) -> tuple[str, ...]:
    """Read the texts that `text_array` wrote."""
    text = array.tobytes().decode(errors="surrogatepass")
    return tuple(text.split("\n")) if text else ()
