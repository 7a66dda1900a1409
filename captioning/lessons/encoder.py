"""The encoder layer by layer, and the photos that activate one of its channels most."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from captioning.backend import to_numpy
from captioning.captioner import Captioner
from captioning.datasets import CaptionDataset
from captioning.encoders import Encoder
from captioning.errors import ConfigError
from captioning.images import read_image


class MapSpec:
    """A layer whose output is a map.

    Attributes:
        name: of the layer.
        height: rows of the map.
        width: columns of the map.
        channels: numbers at each place.
    """

    def __init__(self, layer: Any) -> None:
        """Take a layer that gives `(B, height, width, channels)`."""
        self.name: str = layer.name
        _, self.height, self.width, self.channels = (int(n or 0) for n in layer.output.shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


class OpenedEncoder:
    """The layers of an encoder, and their outputs for one photo; threads may share it.

    Args:
        encoder: with any of the networks that `captioning.encoders` knows.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        nested = [layer for layer in encoder.network.layers if isinstance(layer, keras.Model)]
        self.network: keras.Model = nested[0] if nested else encoder.network
        self._readers: dict[tuple[str, ...], keras.Model] = {}
        self._turn = threading.Lock()

    @property
    def layers(self) -> list[Any]:
        """The layers, each after those it reads from."""
        return list(self.network.operations)

    def layer(self, name: str) -> Any:
        """Return the layer called `name`.

        Raises:
            ConfigError: there is none.
        """
        for found in self.layers:
            if found.name == name:
                return found
        raise ConfigError(f"The encoder {self.encoder.config.name} has no layer called {name!r}.")

    @cached_property
    def first_convolution(self) -> Any:
        """The layer that is the first to look at neighbouring pixels."""
        return next(x for x in self.layers if isinstance(x, keras.layers.Conv2D))

    @cached_property
    def maps(self) -> list[MapSpec]:
        """One map for each size the photo shrinks to, the last one of that size, large ones first.

        Sums and activations are preferred to what stands between them.
        """
        groups: dict[tuple[int, int], list[Any]] = {}
        reached = False
        for layer in self.layers:
            reached = reached or layer is self.first_convolution
            if reached and is_map(layer) and not _only_pads(layer) and layer.output.shape[1] > 1:
                groups.setdefault(tuple(layer.output.shape[1:3]), []).append(layer)
        return [MapSpec(_most_telling(group)) for group in groups.values()]

    def scaled(self, pixels: np.ndarray) -> np.ndarray:
        """Return what the first convolution reads, before any padding.

        Args:
            pixels: uint8 `(S, S, 3)`.

        Returns:
            float32 `(S, S, 3)`.
        """
        before = inputs_of(self.first_convolution, self.layers)[0]
        while _only_pads(before):
            before = inputs_of(before, self.layers)[0]
        return self.outputs(pixels, [before.name])[before.name]

    def outputs(self, pixels: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """Return what layers give for one photo.

        Args:
            pixels: uint8 `(S, S, 3)`.
            names: of the layers.

        Returns:
            float32 arrays by the layers' names, without the batch axis.

        Raises:
            ConfigError: there is no layer of such a name.
        """
        with self._turn:
            found = self._read(tuple(names), self._into(pixels))
        found = found if isinstance(found, list | tuple) else [found]
        return {name: to_numpy(value)[0] for name, value in zip(names, found, strict=True)}

    def _read(self, names: tuple[str, ...], batch: np.ndarray) -> Any:
        """Compute layer by layer for the first photo, and with a compiled function for the others.

        Compiling takes as long as several photos, and makes each of them several times faster.
        """
        if names in self._readers:
            return self._readers[names].predict_on_batch(batch)
        reader = keras.Model(self.network.input, [self.layer(name).output for name in names])
        reader.compile(jit_compile=False)
        self._readers[names] = reader
        return reader(batch, training=False)

    def _into(self, pixels: np.ndarray) -> np.ndarray:
        """Return what enters the row of layers, float32 `(1, S, S, 3)`."""
        batch = np.asarray(pixels, np.float32)[None]
        for layer in self.encoder.network.layers:
            if layer is self.network:
                break
            if self.network is not self.encoder.network and not isinstance(
                layer, keras.layers.InputLayer
            ):
                batch = to_numpy(layer(batch))
        return batch


def inputs_of(layer: Any, layers: list[Any]) -> list[Any]:
    """Return the layers that `layer` reads from."""
    if isinstance(layer, keras.layers.InputLayer):
        return []
    wanted = {id(tensor) for tensor in keras.tree.flatten(layer.input)}
    return [other for other in layers if other is not layer and id(other.output) in wanted]


def is_map(layer: Any) -> bool:
    """Whether a layer gives rows, columns and channels."""
    output = layer.output
    return not isinstance(output, list) and len(output.shape) == 4


def _only_pads(layer: Any) -> bool:
    return isinstance(layer, keras.layers.ZeroPadding2D)


def _most_telling(group: list[Any]) -> Any:
    sums = (keras.layers.Add, keras.layers.Concatenate)
    activations = (keras.layers.Activation, keras.layers.ReLU)
    last = group[-1]
    if isinstance(last, sums + activations):
        return last
    for kind in (keras.layers.Add, activations, keras.layers.BatchNormalization):
        fitting = [layer for layer in group if isinstance(layer, kind)]
        if fitting:
            return fitting[-1]
    convolutions = [layer for layer in group if isinstance(layer, keras.layers.Conv2D)]
    return (convolutions or group)[-1]


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
    """Return the channels that differ most between the regions of a photo, the most varied first.

    How far the 90th percentile lies above the 10th says how much a channel differs; a single
    corner would dominate a standard deviation.

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
        on_progress: called with the number done and the total.

    Raises:
        ImageError: a photo cannot be read.
        WeightsError: the encoder's weights cannot be found.
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
