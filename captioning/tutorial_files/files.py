"""Reading and writing descriptions.txt, features.p and tokenizer.p, and making a data set of them.

`descriptions.txt` holds a line `photo<TAB>caption` for each caption, `features.p` a pickled
dictionary from photo names to arrays.  A pickle is a program, so Python's own reader never reads
one from outside.
"""

import json
import math
import os
import pickle
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

from captioning.bundle import lent_encoder
from captioning.config import EncoderConfig
from captioning.datasets import CaptionDataset, load
from captioning.datasets.catalog import safe_name
from captioning.datasets.descriptions import FILE, NO_PHOTOS
from captioning.datasets.token_files import MARKS
from captioning.encoders.registry import feature_shape, resolve
from captioning.errors import ConfigError, FeaturesError, StorageError
from captioning.features import write_store
from captioning.image_formats import has_photo_ending
from captioning.storage import (
    data_folder,
    read_json,
    read_regular_file,
    replacing_folder,
    write_text,
)
from captioning.text import tokenize
from captioning.tutorial_files import array_reader
from captioning.vocabulary import Vocabulary

ENCODER_FILE = "encoder.json"
"""Written next to `features.p`: which encoder gave the features."""

MAX_FEATURE_BYTES = 600_000_000
MAX_TEXT_BYTES, MAX_LINES = 50_000_000, 1_000_000  # COCO has 30 and 0.6 million
_MOST_SECONDS = 120


def write_descriptions(
    dataset: CaptionDataset, path: Path, *, split: str = "train", photos: int | None = None
) -> int:
    """Write the cleaned captions of the (first) photos of a split, one per line; return the number.

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

    A tab separates a photo's name from its caption, or a space if the name has a digit; both are in
    use.

    Raises:
        FeaturesError: a line has neither, or the file cannot be read or has over a million lines.
    """
    found: dict[str, list[str]] = {}
    try:
        lines = read_regular_file(path, MAX_TEXT_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FeaturesError(f"{path} cannot be read as text: {error}.") from error
    if len(lines) > MAX_LINES:
        raise FeaturesError(f"{path} has more than {MAX_LINES:,} lines. Leave some photos out.")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        name, tab, caption = line.partition("\t")
        words = [] if tab else line.strip().split(maxsplit=1)
        if len(words) == 2 and any(letter.isdecimal() for letter in words[0]):
            (name, caption), tab = words, " "
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
    """Write `tokenizer.p`: the tokenizer of the tutorials, readable by any Python.

    Keras 3 has no `Tokenizer`, so its objects could not be read.  This is a
    `types.SimpleNamespace` of plain dictionaries with the names of its attributes: `word_index`,
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

    A separate process reads the file, with limits on memory and time: see `array_reader`.

    Args:
        path: of at most `MAX_FEATURE_BYTES`.

    Returns:
        Arrays of finite integers or floating-point numbers, of any shape.

    Raises:
        FeaturesError: it cannot be read, would do anything but create arrays (the message names
            it), or is not a dictionary from names to arrays of numbers.
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
            "malicious. Save the features as .npz: "
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
"""The encoder and layer with features of each shape in the tutorials."""


@dataclass(frozen=True)
class ClassFiles:
    """The files of a class.

    Attributes:
        captions: by photo, of the photos that also have features.
        features: of the same photos, float32 `(D,)` or `(R, D)`.
        without_features: photos that have only captions.
        without_captions: photos that have only features.
        encoder: the one that `encoder.json` next to the features names, else the usual encoder for
            features of this shape; None if unknown.
        encoder_from: the model that has the encoder's weights, if they are not ImageNet weights.
    """

    captions: Mapping[str, tuple[str, ...]]
    features: Mapping[str, np.ndarray]
    without_features: tuple[str, ...]
    without_captions: tuple[str, ...]
    encoder: EncoderConfig | None
    encoder_from: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one photo's features."""
        return next(iter(self.features.values())).shape

    @property
    def words(self) -> int:
        """The number of different words in the captions."""
        texts = (text for captions in self.captions.values() for text in captions)
        return len({word for text in texts for word in tokenize(text)})


def read_class_files(descriptions: Path, features: Path) -> ClassFiles:
    """Read both files and match them by name, with or without an ending such as `.jpg`.

    Args:
        descriptions: a caption per line.
        features: an `.npz` file or a pickle; no code in it is run.

    Raises:
        FeaturesError: a file cannot be read or would run code, they have no photo in common, or
            the features differ in shape or contain NaN or infinity.
    """
    described, arrays = read_descriptions(descriptions), read_features(features)
    by_stem = {_stem(name): value for name, value in arrays.items()}
    found = {
        name: _without_batch(by_stem[_stem(name)]) for name in described if _stem(name) in by_stem
    }
    if not found:
        raise FeaturesError(
            f"{descriptions.name} and {features.name} have no photo in common: the first has "
            f"{_some(described)}, the second {_some(arrays)}."
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
    known = {_stem(name) for name in described}
    encoder, encoder_from = _encoder_of(features.parent / ENCODER_FILE, shapes[0])
    return ClassFiles(
        captions={name: tuple(MARKS.sub("", c.strip()) for c in described[name]) for name in found},
        features=found,
        without_features=tuple(name for name in described if name not in found),
        without_captions=tuple(name for name in arrays if _stem(name) not in known),
        encoder=encoder,
        encoder_from=encoder_from,
    )


def _encoder_of(path: Path, shape: tuple[int, ...]) -> tuple[EncoderConfig | None, str | None]:
    """Return the encoder that gave features of a shape, and the model that has its weights.

    A file that is damaged or describes features of another shape is ignored.
    """
    try:
        content = read_json(path, dict)
        encoder = resolve(EncoderConfig.from_dict(content["encoder"]))[0]
        model = content["model"]
        known_model = model is None or (isinstance(model, str) and Path(model).parts == (model,))
        if feature_shape(encoder) == shape and known_model:
            return encoder, model
    except (StorageError, KeyError, ConfigError):
        pass
    found = _ENCODERS.get(shape)
    return (EncoderConfig(name=found[0], layer=found[1]) if found else None), None


def take_over(files: ClassFiles, name: str) -> CaptionDataset:
    """Make a data set for training of a class's files, without its photos.

    It is written to the data folder, and the features to the feature store, as float16.

    Args:
        files: the result of `read_class_files`.
        name: of the data set.

    Raises:
        FeaturesError: the encoder of the features is unknown, the name is taken, or the files
            cannot be written.
        BundleError: the model that has the encoder's weights is not here.
    """
    if files.encoder is None:
        shapes = ", ".join(map(str, _ENCODERS))
        raise FeaturesError(
            f"Features of shape {files.shape} are not those of a known encoder (known shapes: "
            f"{shapes}), and there is no {ENCODER_FILE} next to them, so a model trained on them "
            "could not caption photos."
        )
    arrays = lent_encoder(files.encoder_from)[0] if files.encoder_from else None
    folder = data_folder() / safe_name(name)
    if folder.exists():
        raise FeaturesError(
            f"There is already a data set called {folder.name}. Choose another name."
        )
    lines = [f"{name}\t{text}\n" for name, texts in files.captions.items() for text in texts]
    try:
        with replacing_folder(folder, durable=True) as part:
            write_text(part / FILE, "".join(lines))
            write_text(part / NO_PHOTOS, "The photos of these captions are not here.\n")
    except OSError as error:
        raise FeaturesError(f"The data set cannot be written to {folder}: {error}.") from error
    dataset = load(folder)
    rows = np.stack([files.features[photo.name] for photo in dataset.photos])
    write_store(files.encoder, dataset, rows, arrays=arrays)
    return dataset


def _stem(name: str) -> str:
    return name[: name.rindex(".")] if has_photo_ending(name) else name


def _without_batch(value: np.ndarray) -> np.ndarray:
    """Remove a batch axis of size 1, and flatten a map of regions."""
    with np.errstate(over="ignore"):  # too large numbers become infinite, and are refused
        value = np.asarray(value, np.float32)
    if value.ndim > 1 and value.shape[0] == 1:
        value = value[0]
    return value.reshape(-1, value.shape[-1]) if value.ndim == 3 else value


def _some(names: Mapping[str, object]) -> str:
    first = next(iter(names), None)
    return "none" if first is None else f"{len(names):,}, such as {first!r}"
