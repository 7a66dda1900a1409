"""The files themselves: descriptions.txt, features.p and tokenizer.p, written and read.

`descriptions.txt` holds a line `photo<TAB>caption` for each caption, `features.p` a pickled
dictionary from photo names to arrays.  A pickle is a program: what is read here comes through an
unpickler that can build arrays and plain containers and nothing else.
"""

import io
import pickle
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from captioning.datasets import CaptionDataset
from captioning.errors import FeaturesError
from captioning.text import tokenize
from captioning.vocabulary import Vocabulary

__all__ = [
    "read_descriptions",
    "read_features",
    "write_descriptions",
    "write_features",
    "write_tokenizer",
]

_ID_AND_CAPTION = re.compile(r"(\S*\d\S*)\s+(\S.*)")

_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_ADMITTED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),  # how protocol 2 writes bytes
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
    *((module, name) for module in _NUMPY for name in ("_reconstruct", "scalar")),
}


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
        lines = path.read_text(encoding="utf-8").splitlines()
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
    """Read a `features.p` from outside.

    Raises:
        FeaturesError: it cannot be read, wants to do anything but build arrays (it is named), or
            is no dictionary from names to arrays of numbers.
    """
    try:
        content = _ArraysOnly(io.BytesIO(path.read_bytes())).load()
    except FeaturesError as error:
        raise FeaturesError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise FeaturesError(f"{path} is no pickle that can be read: {error}.") from error
    if not isinstance(content, dict):
        raise FeaturesError(
            f"{path}: expected a dictionary of arrays, found {type(content).__name__}."
        )
    for name, value in content.items():
        numbers = isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
        if not isinstance(name, str) or not numbers:
            raise FeaturesError(f"{path}: {name!r} should be a photo's name with an array.")
    return content


class _ArraysOnly(pickle.Unpickler):
    """Builds arrays, dictionaries, lists, texts and numbers."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise FeaturesError(
                f"it asks for {module}.{name}; only arrays and plain containers are read, "
                "because a pickle can run any program."
            )
        if module.startswith("numpy.core."):
            module = module.replace("numpy.core.", "numpy._core.", 1)
        return super().find_class(module, name)
