"""What excites a channel: regions of one photo, and photos of a data set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.captioner import Captioner
from captioning.datasets import CaptionDataset
from captioning.images import read_image

__all__ = ["Peaks", "peaks_of", "strongest_channels", "strongest_photos"]


@dataclass(frozen=True)
class Peaks:
    """The largest value of every channel in each of several photos.

    Attributes:
        names: the photos.
        values: float32 `(N, D)`.
    """

    names: tuple[str, ...]
    values: np.ndarray


def strongest_channels(features: np.ndarray, *, top: int = 8) -> list[int]:
    """Return the channels that differ most between the regions of a photo, the first most.

    How far the 90th percentile lies above the 10th says how much a channel differs; a deviation
    would be ruled by a single corner.

    Args:
        features: `(R, D)`, or `(D,)`, where the largest values win.
        top: how many.
    """
    values = np.asarray(features, np.float64)
    if values.ndim == 2:
        low, high = np.percentile(values, (10, 90), axis=0)
        differences = high - low
    else:
        differences = values
    return [int(i) for i in np.argsort(-differences, kind="stable")[:top]]


def peaks_of(
    captioner: Captioner,
    dataset: CaptionDataset,
    names: Sequence[str],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Peaks:
    """Find the largest value of every channel in photos of a data set.

    Features that were stored are read; without them the photos are encoded now, one by one: for
    one photo the encoder is ready, and for several at once it would be prepared first.

    Args:
        captioner: whose encoder.
        dataset: where the photos are.
        names: which photos.
        on_progress: told how many of how many are done.

    Raises:
        ImageError: a photo cannot be read.
        WeightsError: the encoder's weights are not to be had.
    """
    store = captioner.stored_features(dataset)
    kept = [name for name in names if name in store] if store is not None else []
    if store is not None and kept:
        return Peaks(tuple(kept), _largest(store.of(kept)))
    found = []
    for done, name in enumerate(names, start=1):
        photo = read_image(dataset.path(dataset[name]))
        found.append(_largest(captioner.encode([photo])))
        on_progress(done, len(names))
    return Peaks(tuple(names), np.concatenate(found))


def strongest_photos(peaks: Peaks, channel: int, *, top: int = 4) -> list[tuple[str, float]]:
    """Return the photos in which a channel is largest, and its value there, the largest first."""
    values = peaks.values[:, channel]
    order = np.argsort(-values, kind="stable")[:top]
    return [(peaks.names[i], float(values[i])) for i in order]


def _largest(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, np.float32)
    return values.max(axis=1) if values.ndim == 3 else values
