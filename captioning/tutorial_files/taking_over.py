"""A class's `descriptions.txt` and `features.p`, looked through and made a data set to train on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioning.config import EncoderConfig
from captioning.datasets import CaptionDataset, load
from captioning.datasets.catalog import safe_name
from captioning.datasets.descriptions import FILE, NO_PHOTOS
from captioning.errors import FeaturesError
from captioning.features import write_store
from captioning.image_formats import has_photo_ending
from captioning.paths import data_folder
from captioning.storage import replacing_folder, write_text
from captioning.text import tokenize
from captioning.tutorial_files.files import read_descriptions, read_features

__all__ = ["ClassFiles", "read_class_files", "take_over"]

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
