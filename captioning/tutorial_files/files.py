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
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from captioning.config import EncoderConfig
from captioning.datasets import CaptionDataset, load
from captioning.datasets.catalog import safe_name
from captioning.datasets.descriptions import FILE, NO_PHOTOS
from captioning.errors import FeaturesError
from captioning.features import write_store
from captioning.image_formats import has_photo_ending
from captioning.storage import data_folder, read_regular_file, replacing_folder, write_text
from captioning.text import tokenize
from captioning.tutorial_files import array_reader
from captioning.vocabulary import Vocabulary

__all__ = [
    "ClassFiles",
    "read_class_files",
    "read_descriptions",
    "read_features",
    "take_over",
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


_ENCODERS = {
    (2048,): ("xception", "avg_pool"),
    (4096,): ("vgg16", "fc2"),
    (100, 1024): ("xception", "block13"),
    (196, 512): ("vgg16", "block5_conv3"),
    (49, 512): ("vgg16", "block5_pool"),
}
"""What gives features of these shapes in the tutorials; others cannot be told by their shape."""

_MARKS = re.compile(r"^(?:<start>|startseq|<bos>)\s+|\s+(?:<end>|endseq|<eos>)$")
"""How tutorials mark where a caption begins and ends; here that is no part of it."""


@dataclass(frozen=True)
class ClassFiles:
    """What a class has brought.

    Attributes:
        captions: by photo, of those photos that have features too.
        features: by photo, float32 `(D,)` or `(R, D)`, likewise.
        without_features: photos that have captions alone.
        without_captions: photos that have features alone.
        encoder: what such features usually come from; None if their shape says nothing.
    """

    captions: Mapping[str, tuple[str, ...]]
    features: Mapping[str, np.ndarray]
    without_features: tuple[str, ...]
    without_captions: tuple[str, ...]
    encoder: EncoderConfig | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one photo's features."""
        return next(iter(self.features.values())).shape

    @property
    def words(self) -> int:
        """How many different words the captions have."""
        return len({word for said in self.captions.values() for c in said for word in tokenize(c)})


def read_class_files(descriptions: Path, features: Path) -> ClassFiles:
    """Read both files and match them; a name counts with its ending (`.jpg`) and without.

    Args:
        descriptions: a line a caption.
        features: an `.npz` file or a pickle, read without running anything in it.

    Raises:
        FeaturesError: one cannot be read or asks to run something, they have no photo in common,
            or the features differ in shape or hold NaN or infinity.
    """
    said, arrays = read_descriptions(descriptions), read_features(features)
    by_stem = {_stem(name): value for name, value in arrays.items()}
    found = {name: _without_batch(by_stem[_stem(name)]) for name in said if _stem(name) in by_stem}
    if not found:
        raise FeaturesError(
            f"{descriptions.name} and {features.name} have no photo in common: the one names "
            f"{_some(said)}, the other {_some(arrays)}."
        )
    odd = next((name for name, value in found.items() if not np.isfinite(value).all()), None)
    if odd is not None:
        raise FeaturesError(
            f"{features.name}: the features of {odd!r} hold numbers too large for float32."
        )
    shapes = sorted({value.shape for value in found.values()})
    if len(shapes) > 1 or len(shapes[0]) not in (1, 2):
        raise FeaturesError(
            f"{features.name}: expected features of one shape, (numbers,) or (regions, numbers), "
            f"found {', '.join(map(str, shapes[:3]))}."
        )
    known = {_stem(name) for name in said}
    name_layer = _ENCODERS.get(shapes[0])
    return ClassFiles(
        captions={name: tuple(_MARKS.sub("", c.strip()) for c in said[name]) for name in found},
        features=found,
        without_features=tuple(name for name in said if name not in found),
        without_captions=tuple(name for name in arrays if _stem(name) not in known),
        encoder=EncoderConfig(name=name_layer[0], layer=name_layer[1]) if name_layer else None,
    )


def take_over(files: ClassFiles, name: str) -> CaptionDataset:
    """Make a data set of a class's files that a run can learn from; its photos are not needed.

    It is written into the data folder, and the features into the store, as float16.

    Args:
        files: what `read_class_files` returned.
        name: what to call it.

    Raises:
        FeaturesError: nobody knows which encoder gave the features, the name is taken, or the files
            cannot be written.
    """
    if files.encoder is None:
        shapes = ", ".join(map(str, _ENCODERS))
        raise FeaturesError(
            f"Features of shape {files.shape} come from no encoder known here (known shapes: "
            f"{shapes}), so no photo could be captioned with what is learned from them."
        )
    folder = data_folder() / safe_name(name)
    if folder.exists():
        raise FeaturesError(f"There is a data set called {folder.name} already; choose another.")
    lines = [f"{n}\t{caption}\n" for n, said in files.captions.items() for caption in said]
    try:
        with replacing_folder(folder, durable=True) as part:
            write_text(part / FILE, "".join(lines))
            write_text(part / NO_PHOTOS, "The photos of these captions are not here.\n")
    except OSError as error:
        raise FeaturesError(f"The data set cannot be written to {folder}: {error}.") from error
    dataset = load(folder)
    rows = np.stack([files.features[photo.name] for photo in dataset.photos])
    write_store(files.encoder, dataset, rows)
    return dataset


def _stem(name: str) -> str:
    return name[: name.rindex(".")] if has_photo_ending(name) else name


def _without_batch(value: np.ndarray) -> np.ndarray:
    """Take off the axis of one photo, and lay a map's rows of regions one after the other."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        value = np.asarray(value, np.float32)
    if value.ndim > 1 and value.shape[0] == 1:
        value = value[0]
    return value.reshape(-1, value.shape[-1]) if value.ndim == 3 else value


def _some(names: Mapping[str, object]) -> str:
    first = next(iter(names), None)
    return "none" if first is None else f"{len(names):,}, such as {first!r}"
