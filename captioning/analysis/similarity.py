"""Which photos are similar: neighbours of a photo, and near-duplicates across splits.

Photos are compared by the cosine of their features if the data set has a feature store, and
otherwise by 16x16 copies of them, which need no network and no weights but show little more than
layout and colour.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from captioning.analysis.disk_cache import read_arrays, text_array, texts_of, write_arrays
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import DatasetError, ImageError, StorageError
from captioning.images import read_image
from captioning.storage import MAX_INDEX_BYTES, data_folder, read_json

FORMAT_VERSION = 1
SIDE = 16
PIXELS = "16 by 16 pixel copies (layout and colour, not meaning)"

_CHUNK = 256
_ROWS_AT_ONCE = 256


class Pair(NamedTuple):
    """Two photos and the cosine between them, -1 to 1."""

    one: Photo
    other: Photo
    cosine: float


@dataclass(frozen=True, eq=False)
class Likeness:
    """Photos as vectors whose angle measures how similar they are.

    Attributes:
        dataset: whose photos.
        names: the photos that could be compared.
        vectors: of length 1 (or 0 where a photo has no contrast), float32 `(N, D)`.
        source: what the vectors are made of, in words for a page.
        by_meaning: whether they are features of a network and not just pixels.
    """

    dataset: CaptionDataset
    names: tuple[str, ...]
    vectors: np.ndarray
    source: str
    by_meaning: bool

    def __contains__(self, name: str) -> bool:
        """Return whether the photo of that name can be compared."""
        return name in self._places

    def nearest(self, name: str, count: int = 6) -> list[Pair]:
        """Return the photos most like one, the most alike first.

        Raises:
            DatasetError: that photo cannot be compared.
        """
        place = self._place(name)
        cosines = self.vectors @ self.vectors[place]
        cosines[place] = -np.inf
        order = np.argsort(-cosines, kind="stable")[: min(count, len(self.names) - 1)]
        own = self.dataset[name]
        return [Pair(own, self.dataset[self.names[i]], float(cosines[i])) for i in order]

    def cosine(self, one: str, other: str) -> float:
        """Return how alike two photos are, -1 to 1.

        Raises:
            DatasetError: one of them cannot be compared.
        """
        return float(self.vectors[self._place(one)] @ self.vectors[self._place(other)])

    def across_splits(self, count: int = 24) -> list[Pair]:
        """Return the most alike photos of which one is in another split, the most alike first."""
        splits = np.array([self.dataset[name].split or "" for name in self.names])
        listed = splits != ""
        best: list[tuple[float, int, int]] = []
        for start in range(0, len(self.names), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            cosines = self.vectors[rows] @ self.vectors.T
            apart = (splits[rows, None] != splits) & listed[rows, None] & listed
            # Each pair once: the second photo stands behind the first.
            apart &= np.arange(len(self.names)) > np.arange(len(cosines))[:, None] + start
            cosines[~apart] = -np.inf
            best = sorted([*best, *_largest(cosines, count, start)], reverse=True)[:count]
        return [
            Pair(self.dataset[self.names[i]], self.dataset[self.names[j]], c) for c, i, j in best
        ]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def _place(self, name: str) -> int:
        place = self._places.get(name)
        if place is None:
            raise DatasetError(
                f"The photo '{name}' cannot be compared: it is not in {self.dataset.name}, or its "
                "file cannot be read."
            )
        return place


def kept_likeness(dataset: CaptionDataset) -> Likeness | None:
    """Return what `open_likeness` kept, or None if there is work to do first.

    Raises:
        DatasetError: a photo's file has gone since the data set was read.
    """
    store = _feature_store(dataset)
    arrays = read_arrays(_path(dataset, store), FORMAT_VERSION)
    if arrays is None or set(arrays) != {"names", "vectors"}:
        return None
    vectors = arrays["vectors"].astype(np.float32)
    return _likeness(dataset, texts_of(arrays["names"]), vectors, store)


def open_likeness(
    dataset: CaptionDataset, *, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Likeness:
    """Return how alike the photos of a data set are: as it was kept on disk, else computed.

    Args:
        dataset: whose photos.
        on_progress: called with photos done and in all.

    Raises:
        DatasetError: no photo can be read, or one has gone since the data set was read.
    """
    kept = kept_likeness(dataset)
    if kept is not None:
        return kept
    store = _feature_store(dataset)
    if store is not None:
        names, vectors = _pooled(*store, on_progress)
    else:
        names, vectors = _pixel_vectors(dataset, on_progress)
    if not names:
        raise DatasetError(f"No photo of {dataset.name} can be read, so none can be compared.")
    arrays = {"names": text_array(names), "vectors": vectors.astype(np.float16)}
    write_arrays(_path(dataset, store), FORMAT_VERSION, arrays)
    return _likeness(dataset, names, vectors, store)


_Store = tuple[Path, dict[str, Any]]


def _likeness(
    dataset: CaptionDataset, names: tuple[str, ...], vectors: np.ndarray, store: _Store | None
) -> Likeness:
    if store is None:
        return Likeness(dataset, names, vectors, PIXELS, by_meaning=False)
    encoder = store[1]["encoder"]
    source = f"features of {encoder['name']} ({encoder['layer']}), averaged over the photo"
    return Likeness(dataset, names, vectors, source, by_meaning=True)


def _path(dataset: CaptionDataset, store: _Store | None) -> Path:
    key = store[0].name if store else f"{dataset.name}-pixels-{dataset.fingerprint}"
    return data_folder() / "explore" / f"likeness-{key}.npz"


def _feature_store(dataset: CaptionDataset) -> _Store | None:
    """Find a finished feature store of these very photos: its folder and its index."""
    pattern = f"{dataset.name}-*-{dataset.fingerprint}"
    for folder in sorted((data_folder() / "features").glob(pattern)):
        try:
            index = read_json(folder / "index.json", dict, max_bytes=MAX_INDEX_BYTES)
            numbers = len(index["names"]) * int(np.prod(index["shape"]))
            finished = index["done"] == len(index["names"])
            if finished and (folder / "features.f16").stat().st_size == 2 * numbers:
                return folder, index
        except (OSError, StorageError, ValueError, KeyError, TypeError):
            continue
    return None


def _pooled(
    folder: Path, index: dict[str, Any], on_progress: Callable[[int, int], None]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Average the regions of each photo; read piece by piece, so that little memory is held."""
    names, shape = index["names"], index["shape"]
    numbers = int(np.prod(shape))
    vectors = np.zeros((len(names), shape[-1]), np.float32)
    with open(folder / "features.f16", "rb") as file:
        for start in range(0, len(names), _CHUNK):
            some = np.fromfile(file, np.float16, _CHUNK * numbers).reshape(-1, *shape)
            mean = some.astype(np.float32).reshape(len(some), -1, shape[-1]).mean(axis=1)
            vectors[start : start + len(some)] = mean
            on_progress(min(start + _CHUNK, len(names)), len(names))
    kept = [place for place, name in enumerate(names) if name not in index["skipped"]]
    return tuple(names[place] for place in kept), _unit(vectors[kept])


def _pixel_vectors(
    dataset: CaptionDataset, on_progress: Callable[[int, int], None]
) -> tuple[tuple[str, ...], np.ndarray]:
    vectors: list[np.ndarray] = []
    names: list[str] = []
    # Pillow decodes outside Python's lock, so two threads read twice as fast.
    with ThreadPoolExecutor(2) as pool:
        read = pool.map(partial(_pixels, dataset), dataset.photos)
        for done, (photo, pixels) in enumerate(zip(dataset.photos, read, strict=True), start=1):
            if pixels is not None:
                names.append(photo.name)
                vectors.append(pixels)
            if done % _CHUNK == 0 or done == len(dataset):
                on_progress(done, len(dataset))
    if not names:
        return (), np.zeros((0, 3 * SIDE * SIDE), np.float32)
    return tuple(names), _unit(np.stack(vectors))


def _pixels(dataset: CaptionDataset, photo: Photo) -> np.ndarray | None:
    """Return a photo's small copy as float32 `(768,)` around 0; None if it cannot be read."""
    try:
        picture = read_image(dataset.path(photo))
    except ImageError:
        return None
    small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    values = np.asarray(small, np.float32).ravel()
    centred: np.ndarray = values - values.mean()
    return centred


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-6)
    return unit


def _largest(cosines: np.ndarray, count: int, first: int) -> Sequence[tuple[float, int, int]]:
    flat = cosines.ravel()
    some = np.argpartition(flat, -min(count, len(flat)))[-count:]
    rows, columns = np.unravel_index(some, cosines.shape)
    return [
        (float(cosines[i, j]), int(i) + first, int(j))
        for i, j in zip(rows, columns, strict=True)
        if np.isfinite(cosines[i, j])
    ]
