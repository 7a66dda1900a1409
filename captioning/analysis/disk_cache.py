"""Keep results about a data set on disk, so that they are computed once.

Plain NumPy arrays, read without pickle, and what a model wrote about a split, so that pages can
show it without loading the model.  A file that is missing, damaged or of another version counts as
missing, because its content can always be computed again.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset
from captioning.errors import StorageError
from captioning.storage import MAX_INDEX_BYTES, data_folder, read_json, replacing

_WRITTEN_VERSION = 1


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


@dataclass(frozen=True)
class Written:
    """A model's captions of a split.

    Attributes:
        captions: by photo name.
        scores: as `captioning.evaluation.Evaluation.to_dict` gives them.
    """

    captions: Mapping[str, str]
    scores: Mapping[str, Any]


def kept_written(
    dataset: CaptionDataset, bundle: Bundle, split: str, decoding: DecodingConfig
) -> Written | None:
    """Return what the model wrote, if it was kept; None for a changed model or data set."""
    try:
        path = _path(dataset, bundle, split, decoding)
        content = read_json(path, dict, max_bytes=MAX_INDEX_BYTES)
        captions, scores = content["captions"], content["scores"]
    except (StorageError, KeyError):
        return None
    names = {photo.name for photo in dataset.split(split)}
    if not isinstance(captions, dict) or set(captions) != names or not isinstance(scores, dict):
        return None
    return Written({str(name): str(text) for name, text in captions.items()}, scores)


def keep_written(
    dataset: CaptionDataset,
    bundle: Bundle,
    split: str,
    decoding: DecodingConfig,
    written: Written,
) -> bool:
    """Keep what the model wrote, and return whether that worked."""
    content = {"captions": dict(written.captions), "scores": dict(written.scores)}
    text = json.dumps(content).encode()
    return put(_path(dataset, bundle, split, decoding), lambda file: file.write(text))


def _path(dataset: CaptionDataset, bundle: Bundle, split: str, decoding: DecodingConfig) -> Path:
    """Name the file by all that the captions depend on."""
    weights = (bundle.folder / "decoder.safetensors").stat()
    parts = {
        "version": _WRITTEN_VERSION,
        "config": (bundle.folder / "config.json").read_text(encoding="utf-8"),
        "weights": [weights.st_size, weights.st_mtime_ns],
        "photos": dataset.fingerprint,
        "decoding": decoding.to_dict(),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    return shelf(dataset) / f"written-{bundle.name}-{split}-{key}.json"
