"""The files themselves: descriptions.txt, features.p and tokenizer.p, written and read.

`descriptions.txt` holds a line `photo<TAB>caption` for each caption, `features.p` a pickled
dictionary from photo names to arrays.  A pickle is a program, so Python's own reader is never given
one from outside.
"""

import json
import math
import os
import pickle
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from captioning.datasets import CaptionDataset
from captioning.errors import FeaturesError
from captioning.regular_files import read_regular_file
from captioning.text import tokenize
from captioning.tutorial_files import array_reader
from captioning.vocabulary import Vocabulary

__all__ = [
    "read_descriptions",
    "read_features",
    "write_descriptions",
    "write_features",
    "write_tokenizer",
]

_ID_AND_CAPTION = re.compile(r"(\S*\d\S*)\s+(\S.*)")

MAX_FEATURE_BYTES = 600_000_000
MAX_TEXT_BYTES = 200_000_000
_MOST_SECONDS = 120


def write_descriptions(
    dataset: CaptionDataset, path: Path, *, split: str = "train", photos: int | None = None
) -> int:
    """Write the cleaned captions of a split's (first) photos, one a line; returns how many.

    Raises:
        DatasetError: there is no such split.
        OSError: the file cannot be written.
    """
    lines = [
        f"{photo.name}\t{' '.join(tokenize(caption))}\n"
        for photo in dataset.split(split)[:photos]
        for caption in photo.captions
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def read_descriptions(path: Path) -> dict[str, list[str]]:
    """Read captions by photo, in the order of the file.

    Between a photo's name and its caption stands a tab or, where the name has a digit in it, a
    space: both are in use.

    Raises:
        FeaturesError: a line is neither, or the file cannot be read.
    """
    found: dict[str, list[str]] = {}
    try:
        lines = read_regular_file(path, MAX_TEXT_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FeaturesError(f"{path} cannot be read as text: {error}.") from error
    for number, line in enumerate(lines, start=1):
        name, tab, caption = line.partition("\t")
        if not tab and (parts := _ID_AND_CAPTION.fullmatch(line.strip())):
            name, tab, caption = parts[1], " ", parts[2]
        if not tab and line.strip():
            raise FeaturesError(
                f"{path}, line {number}: expected a photo's name, a tab and a caption, "
                f"found {line[:60]!r}."
            )
        if tab:
            found.setdefault(name, []).append(caption)
    return found


def write_features(names: Sequence[str], rows: Iterable[np.ndarray], path: Path) -> None:
    """Write `features.p` as the tutorials read it: float32 arrays `(1, ...)` by photo name.

    Raises:
        OSError: the file cannot be written.
    """
    features = {
        name: np.asarray(row, np.float32)[None] for name, row in zip(names, rows, strict=True)
    }
    path.write_bytes(pickle.dumps(features, protocol=4))


def write_tokenizer(vocabulary: Vocabulary, path: Path, *, max_length: int) -> None:
    """Write `tokenizer.p`: what the tutorials ask of their tokenizer, readable by any Python.

    Keras 3 has no `Tokenizer` any more, so an object of it could be read nowhere.  This is a
    `types.SimpleNamespace` of plain dictionaries with the names that object had: `word_index`,
    `index_word`, `num_words`; and `max_length`.

    Raises:
        OSError: the file cannot be written.
    """
    content = SimpleNamespace(
        word_index={word: number for number, word in enumerate(vocabulary.words)},
        index_word=dict(enumerate(vocabulary.words)),
        num_words=len(vocabulary),
        max_length=max_length,
    )
    path.write_bytes(pickle.dumps(content, protocol=4))


def read_features(path: Path) -> Mapping[str, np.ndarray]:
    """Read arrays by photo name from an `.npz` file (`numpy.savez`) or a pickled dictionary.

    A process of its own reads the file, with limits on memory and time: see `array_reader`.

    Args:
        path: of at most `MAX_FEATURE_BYTES`.

    Returns:
        Arrays of finite integers or floating-point numbers, of any shape.

    Raises:
        FeaturesError: it cannot be read, wants to do anything but build arrays (it is named), or
            is no dictionary from names to arrays of numbers.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FeaturesError(f"{path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise FeaturesError(f"{path} is not a file.")
    if not 0 < status.st_size <= MAX_FEATURE_BYTES:
        raise FeaturesError(
            f"{path} has {status.st_size / 1e6:,.1f} MB; a file of features has between 1 byte and "
            f"{MAX_FEATURE_BYTES / 1e6:,.0f} MB."
        )
    with tempfile.TemporaryDirectory() as place:
        numbers = Path(place) / "arrays"
        found = _read_apart(path, numbers)
        if "error" in found:
            raise FeaturesError(f"{path}: {found['error']}")
        content = np.fromfile(numbers, np.uint8)
    return {entry["name"]: _array(content, **entry) for entry in found["arrays"]}


def _read_apart(path: Path, numbers: Path) -> dict[str, Any]:
    """Run `array_reader` on a file and return what it prints."""
    files = map(str, (array_reader.__file__, path, numbers))
    command = [sys.executable, "-I", *files, str(MAX_FEATURE_BYTES)]
    # Each thread of a linear algebra library takes address space, which is limited there.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(  # noqa: S603 - nothing in it is run but our own file
            command, env=environment, capture_output=True, check=True, timeout=_MOST_SECONDS
        )
        found: dict[str, Any] = json.loads(ended.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise FeaturesError(
            f"{path} was not read: it takes more memory or time than a file of features may, or is "
            "made to break what reads it. Save the features as .npz: "
            'numpy.savez("features.npz", **features).'
        ) from error
    return found


def _array(
    content: np.ndarray, *, name: str, dtype: str, shape: list[int], place: int
) -> np.ndarray:
    kind = np.dtype(dtype)
    length = kind.itemsize * math.prod(shape)
    return content[place : place + length].view(kind).reshape(shape)
