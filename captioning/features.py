"""The feature store: photos encoded once, kept as float16 on disk, read through a memory map.

A store is a folder whose name is derived from everything its features depend on: the encoder with
its layer, size and weights, the preprocessing, and the photos.  Rows are written in order and
counted, so an interrupted extraction resumes where it stopped.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from captioning.augmentation import WHOLE, View
from captioning.config import EncoderConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.encoders.registry import encoder_key, resolve
from captioning.errors import FeaturesError, ImageError, StorageError
from captioning.images import read_image
from captioning.prefetch import ahead
from captioning.storage import MAX_INDEX_BYTES, data_folder, read_json, write_json

if TYPE_CHECKING:  # reading stored features needs no Keras
    from captioning.encoders import PhotoEncoder

BATCH = 16
_LOOKED_AT = 30
"""Number of photos whose size is checked."""
FORMAT_VERSION = 1

_INDEX_FILE, _ROWS = "index.json", "features.f16"
_INDEX = {"names": list, "skipped": dict, "shape": list, "done": int}


@dataclass(frozen=True)
class Progress:
    """Progress of an extraction.

    Attributes:
        done: photos encoded or skipped, including those of earlier runs.
        total: number of photos.
        rate: photos per second in this run.
        seconds_left: estimated from that rate.
    """

    done: int
    total: int
    rate: float
    seconds_left: float


class FeatureStore:
    """The features of one data set's photos, computed by one encoder.

    Attributes:
        folder: of the store.
        names: of the photos, in row order.
        skipped: photos that could not be read, with the reason; they have no features.
        shape: `(R, D)` or `(D,)`.
    """

    def __init__(self, folder: Path) -> None:
        """Open a finished store.

        Raises:
            FeaturesError: the store is missing, unfinished, or damaged.
        """
        self.folder = folder
        index = _read_index(folder)
        if index["done"] < len(index["names"]):
            raise FeaturesError(
                f"The features in {folder} are unfinished ({index['done']} of "
                f"{len(index['names'])} photos); run the extraction again to resume it."
            )
        self.names: tuple[str, ...] = tuple(index["names"])
        self.skipped: dict[str, str] = index["skipped"]
        self.shape: tuple[int, ...] = tuple(index["shape"])
        self._rows = _map(folder, index, "r")
        self._places = {
            name: place for place, name in enumerate(self.names) if name not in self.skipped
        }

    def __contains__(self, name: str) -> bool:
        """Return whether the photo with that name has features."""
        return name in self._places

    def places(self, names: Sequence[str]) -> np.ndarray:
        """Return the row numbers of photos, int64 `(B,)`.

        Raises:
            FeaturesError: a photo has none.
        """
        try:
            return np.array([self._places[name] for name in names], np.int64)
        except KeyError as error:
            name = error.args[0]
            reason = self.skipped.get(name, "it is not in this store")
            raise FeaturesError(f"There are no features of {name}: {reason}.") from None

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Read rows, float16 `(B, R, D)` or `(B, D)`."""
        return np.asarray(self._rows[places])

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Read the features of the named photos, float16 `(B, R, D)` or `(B, D)`."""
        return self.rows(self.places(names))

    def channel_figures(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return each channel's mean and standard deviation over photos, float32 `(D,)`."""
        places, channels = self.places(names), self.shape[-1]
        total, squares, count = np.zeros(channels), np.zeros(channels), 0
        for start in range(0, len(places), 200):
            values = self.rows(places[start : start + 200]).astype(np.float64)
            flat = values.reshape(-1, channels)
            total += flat.sum(axis=0)
            squares += (flat * flat).sum(axis=0)
            count += len(flat)
        mean = total / max(count, 1)
        variance = np.maximum(squares / max(count, 1) - mean**2, 0.0)
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def fitted(config: EncoderConfig, dataset: CaptionDataset) -> EncoderConfig:
    """Fill in the settings that `config` leaves open; the photo size depends on the data set.

    If all training photos are square JPEGs of one size, as in the small copies of Flickr8k, other
    photos are reduced to that size too; otherwise photos keep their size.

    Raises:
        ConfigError: the encoder, its layer or its size is unknown.
    """
    config = resolve(config)[0]
    if config.photo_size is not None:
        return config
    photos = dataset.split("train") or dataset.photos
    sizes = {_small_copy_size(dataset.path(photo)) for photo in photos[:_LOOKED_AT]}
    return config.replace(photo_size=sizes.pop() if len(sizes) == 1 else 0)


def _small_copy_size(path: Path) -> int:
    """Return the side of a square JPEG; 0 for any other file."""
    try:
        with Image.open(path, formats=["JPEG"]) as photo:
            return photo.width if photo.width == photo.height else 0
    except (OSError, ValueError, Image.DecompressionBombError):
        return 0


def store_folder(
    config: EncoderConfig,
    dataset: CaptionDataset,
    root: Path | None = None,
    *,
    arrays: Mapping[str, np.ndarray] | None = None,
    view: View = WHOLE,
) -> Path:
    """Return the folder of the features that an encoder computes for `dataset`.

    Args:
        config: the encoder.
        dataset: the photos.
        root: parent folder of the stores; by default `features` in the data folder.
        arrays: the encoder's weights, unless they are ImageNet weights.
        view: augmentation of the training photos; the identity view covers all photos.
    """
    root = root or data_folder() / "features"
    config, _ = resolve(config)
    key = encoder_key(config, arrays)
    name = f"{dataset.name}-{config.name}-{config.layer}-{key}-{dataset.fingerprint}"
    return root / f"{name}{view.suffix}"


def store_progress(
    config: EncoderConfig,
    dataset: CaptionDataset,
    *,
    arrays: Mapping[str, np.ndarray] | None = None,
    view: View = WHOLE,
) -> int:
    """Return how many photos of `dataset` an encoder has processed, including skipped ones."""
    try:
        folder = store_folder(config, dataset, arrays=arrays, view=view)
        return int(_read_index(folder)["done"])
    except (FeaturesError, KeyError):
        return 0


def extract_features(
    encoder: "PhotoEncoder",
    dataset: CaptionDataset,
    folder: Path,
    *,
    view: View = WHOLE,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    in_turn: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> FeatureStore:
    """Encode the photos of `dataset`, resuming an interrupted extraction.

    Args:
        encoder: computes the features.
        dataset: the photos, all splits.
        folder: of the store, usually `store_folder(...)`.
        view: augmentation of the training photos; the identity view covers all photos.
        on_progress: called after each batch.
        should_stop: called after each batch; a true result stops the extraction.
        in_turn: context manager held while a batch is encoded, such as `FairLock.take`.

    Returns:
        The finished store.

    Raises:
        FeaturesError: `should_stop` stopped it, the folder cannot be written, or a feature is not
            finite.
    """
    try:
        photos = dataset.photos if view.whole else dataset.split("train")
        index = _begin(folder, encoder, photos)
        rows = _map(folder, index, "r+")
        begun, at_first = time.monotonic(), index["done"]
        starts = range(at_first, len(photos), BATCH)
        groups = [photos[start : start + BATCH] for start in starts]
        batches = ahead(partial(_read_batch, encoder, dataset, view), groups)
        for start, (pixels, reasons) in zip(starts, batches, strict=True):
            with in_turn():
                encoded = encoder.encode(pixels)
            if not np.isfinite(encoded).all():
                raise FeaturesError(
                    "The encoder's features contain NaN or infinity: its weights are damaged. "
                    "Copy or download the model again."
                )
            kept = [place for place, reason in enumerate(reasons) if reason is None]
            rows[start : start + len(reasons)][kept] = encoded[kept]
            names = index["names"][start : start + len(reasons)]
            index["skipped"] |= {n: r for n, r in zip(names, reasons, strict=True) if r}
            index["done"] = start + len(reasons)
            rows.flush()
            write_json(folder / _INDEX_FILE, index)
            seconds = max(time.monotonic() - begun, 1e-9)
            rate = (index["done"] - at_first) / seconds
            left = (len(index["names"]) - index["done"]) / rate
            on_progress(Progress(index["done"], len(index["names"]), rate, left))
            if should_stop() and index["done"] < len(index["names"]):
                raise FeaturesError("The extraction was stopped; run it again to resume.")
    except OSError as error:
        raise FeaturesError(f"Features cannot be written to {folder}: {error}.") from error
    return FeatureStore(folder)


def write_store(
    config: EncoderConfig,
    dataset: CaptionDataset,
    rows: np.ndarray,
    *,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> FeatureStore:
    """Store features that were computed elsewhere.

    Args:
        config: the encoder that computed them.
        dataset: the photos, all splits.
        rows: float `(photos, R, D)` or `(photos, D)`, in the order of the photos.
        arrays: the encoder's weights, unless they are ImageNet weights.

    Raises:
        FeaturesError: the rows do not match the data set, are not finite, or cannot be written.
    """
    if len(rows) != len(dataset.photos) or not np.isfinite(rows).all():
        raise FeaturesError(
            f"Expected finite features of {len(dataset.photos):,} photos, found {len(rows):,} rows."
        )
    folder, largest = store_folder(config, dataset, arrays=arrays), float(np.finfo(np.float16).max)
    facts = _facts(resolve(config)[0], rows.shape[1:], dataset.photos)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.clip(rows, -largest, largest).astype(np.float16).tofile(folder / _ROWS)
        write_json(folder / _INDEX_FILE, {**facts, "skipped": {}, "done": len(rows)})
    except OSError as error:
        raise FeaturesError(f"Features cannot be written to {folder}: {error}.") from error
    return FeatureStore(folder)


def pooled(features: np.ndarray) -> np.ndarray:
    """Average regions and scale to unit length, so dot products are cosines; float32 `(B, D)`.

    >>> pooled(np.array([[[2.0, 0.0], [4.0, 8.0]]])).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    flat = np.asarray(features, np.float32)
    mean = flat.mean(axis=1) if flat.ndim == 3 else flat
    unit: np.ndarray = mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-6)
    return unit


def _read_batch(
    encoder: "PhotoEncoder", dataset: CaptionDataset, view: View, photos: Sequence[Photo]
) -> tuple[np.ndarray, list[str | None]]:
    """Read a batch of square photos; an unreadable photo becomes black, with a reason."""
    size = int(encoder.config.input_size or 0)
    pixels = np.zeros((len(photos), size, size, 3), np.uint8)
    return pixels, [
        _read_into(pixels[place], encoder, dataset, view, photo)
        for place, photo in enumerate(photos)
    ]


def _read_into(
    place: np.ndarray, encoder: "PhotoEncoder", dataset: CaptionDataset, view: View, photo: Photo
) -> str | None:
    try:
        place[:] = view.of(encoder.pixels(read_image(dataset.path(photo))), photo.name)
    except ImageError as error:
        return str(error)
    return None


def _begin(folder: Path, encoder: "PhotoEncoder", photos: Sequence[Photo]) -> dict[str, Any]:
    """Create a store, or open the one that an interrupted run started."""
    fixed = _facts(encoder.config, encoder.feature_shape, photos)
    if (folder / _INDEX_FILE).exists():
        index = _read_index(folder)
        if index == index | fixed:
            return index
    folder.mkdir(parents=True, exist_ok=True)
    _allocate(folder / _ROWS, 2 * len(photos) * math.prod(encoder.feature_shape))
    index = {**fixed, "skipped": {}, "done": 0}
    write_json(folder / _INDEX_FILE, index)
    return index


def _facts(
    config: EncoderConfig, shape: tuple[int, ...], photos: Sequence[Photo]
) -> dict[str, Any]:
    """Return the part of an index that is known before photos are encoded."""
    return {
        "format_version": FORMAT_VERSION,
        "encoder": config.to_dict(),
        "shape": list(shape),
        "names": [photo.name for photo in photos],
    }


def _allocate(path: Path, size: int) -> None:
    """Create a file of `size` bytes, all allocated on the disk.

    A sparse file would be filled through the memory map, where a full disk kills the process
    instead of raising an error.
    """
    with path.open("wb") as file:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


def _map(folder: Path, index: dict[str, Any], mode: str) -> np.memmap:
    shape = (len(index["names"]), *index["shape"])
    path = folder / _ROWS
    size = path.stat().st_size if path.is_file() else -1
    if size != 2 * math.prod(shape):
        what = "is missing" if size < 0 else "does not have the size that its index states"
        raise FeaturesError(f"{path} {what}; delete {folder}.")
    return np.memmap(path, np.float16, mode, shape=shape)  # type: ignore[call-overload, no-any-return]


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / _INDEX_FILE
    if not path.exists():
        raise FeaturesError(f"There are no features in {folder} yet.")
    try:
        index = read_json(path, dict, max_bytes=MAX_INDEX_BYTES)
    except StorageError as error:
        raise FeaturesError(f"{error} Delete {folder}.") from error
    if index.get("format_version") != FORMAT_VERSION:
        raise FeaturesError(
            f"{path} was written by another version of this program; delete {folder}."
        )
    if not all(isinstance(index.get(name), kind) for name, kind in _INDEX.items()):
        raise FeaturesError(f"{path} is damaged; delete {folder}.")
    return index
