"""An encoder opened: its layers in order, and what each of them gives for one photo.

Every encoder has the same outside (pixels to features); inside, an application of Keras lies as a
model in the model.  Here both look alike: a row of layers that begins with scaled pixels.
"""

from functools import cached_property
from typing import Any

import keras
import numpy as np

from captioning.backend import to_numpy
from captioning.encoders import Encoder
from captioning.errors import ConfigError

__all__ = ["MapSpec", "OpenedEncoder", "inputs_of", "is_map"]


class MapSpec:
    """A layer whose output is a map, as a place to look in.

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
    """The layers of an encoder, and their outputs for one photo.

    Args:
        encoder: with any of the networks that `captioning.encoders` knows.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        nested = [layer for layer in encoder.network.layers if isinstance(layer, keras.Model)]
        self.network: keras.Model = nested[0] if nested else encoder.network
        self._readers: dict[tuple[str, ...], keras.Model] = {}

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
        key = tuple(names)
        if key not in self._readers:
            ends = [self.layer(name).output for name in names]
            self._readers[key] = keras.Model(self.network.input, ends)
        found = self._readers[key](self._into(pixels), training=False)
        found = found if isinstance(found, list | tuple) else [found]
        return {name: to_numpy(value)[0] for name, value in zip(names, found, strict=True)}

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
