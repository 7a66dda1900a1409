"""Keep results about a data set on disk, so that they are computed once.

Plain NumPy arrays, read without pickle.  A file that is missing, damaged or of another version
counts as missing, because its content can always be computed again.
"""

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from captioning.datasets import CaptionDataset
from captioning.storage import data_folder, replacing


def shelf(dataset: CaptionDataset) -> Path:
    """Return the folder for what is computed about the captions of `dataset`."""
    return data_folder() / "explore" / f"{dataset.name}-{captions_key(dataset)}"


def captions_key(dataset: CaptionDataset) -> str:
    """Return 16 hexadecimal digits that change with any name, caption or split.

    `CaptionDataset.fingerprint` covers the photo files; this one covers their captions.
    """
    digest = hashlib.sha256()
    for photo in dataset.photos:
        parts = (photo.name, photo.split or "", *photo.captions)
        digest.update("\0".join(parts).encode(errors="surrogatepass") + b"\n")
    return digest.hexdigest()[:16]


def read_arrays(path: Path, version: int) -> dict[str, np.ndarray] | None:
    """Read arrays that `write_arrays` wrote; None if there are none."""
    try:
        # np.load leaves a damaged file open that it opened itself.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    stored = arrays.pop("version", None)
    return arrays if stored is not None and stored.size == 1 and stored == version else None


def write_arrays(path: Path, version: int, arrays: Mapping[str, np.ndarray]) -> bool:
    """Write arrays to a temporary file and move it to `path`; return whether that worked.

    A full or read-only disk only costs the time of computing it again.
    """

    def save(file: BinaryIO) -> None:
        np.savez(file, allow_pickle=False, version=np.array(version), **arrays)

    return put(path, save)


def put(path: Path, save: Callable[[BinaryIO], object]) -> bool:
    """Let `save` write the file `path`, and return whether that worked."""
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
