"""A separable convolution in its two steps, worked out by hand at one place."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from captioning.lessons.convolution import (
    Product,
    Separable,
    depthwise_at,
    multiplications,
    pointwise_at,
)
from captioning.lessons.inspector import OpenedEncoder, inputs_of, is_map

__all__ = ["Pair", "TwoSteps", "find_pair", "two_steps"]


@dataclass(frozen=True)
class Pair:
    """A depthwise step and the pointwise step after it.

    Attributes:
        depthwise: name of the layer of the first step.
        pointwise: name of the layer of the second; the same where Keras does both in one.
        read: name of the layer that the first step reads.
        given: name of the layer that the second step reads; None where Keras does both in one.
        kernel: side of the depthwise kernel.
        channels: of the map that is read.
        filters: of the map that is given.
        height: rows of the map that is given.
        width: columns of the map that is given.
    """

    depthwise: str
    pointwise: str
    read: str
    given: str | None
    kernel: int
    channels: int
    filters: int
    height: int
    width: int

    @property
    def names(self) -> list[str]:
        """The layers whose outputs are needed to work one place out."""
        return [self.read, self.depthwise, self.pointwise, *([self.given] if self.given else [])]

    @property
    def cost(self) -> Separable:
        """The multiplications, done whole and in two steps."""
        return multiplications(self.kernel, self.channels, self.filters, self.height, self.width)


@dataclass(frozen=True)
class TwoSteps:
    """One number of a separable convolution, by hand.

    Attributes:
        depthwise: the first step in one channel.
        pointwise: the second step over all channels.
        keras: what Keras gives for the second step.
        keras_depthwise: what Keras gives for the first step; None where it does not show it.
    """

    depthwise: Product
    pointwise: Product
    keras: float
    keras_depthwise: float | None


def find_pair(opened: OpenedEncoder) -> Pair | None:
    """Return the first separable convolution of an encoder, None if it has none."""
    layers = opened.layers
    for place, layer in enumerate(layers):
        if isinstance(layer, keras.layers.SeparableConv2D):
            return _pair(layer, layer, None, layers)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            for after in layers[place + 1 :]:
                if _is_pointwise(after):
                    return _pair(layer, after, inputs_of(after, layers)[0].name, layers)
    return None


def two_steps(
    opened: OpenedEncoder,
    outputs: dict[str, np.ndarray],
    pair: Pair,
    place: tuple[int, int],
    channel: int,
    kernel: int,
) -> TwoSteps:
    """Work out one number of a separable convolution.

    Args:
        opened: the encoder.
        outputs: of the layers that `pair.names` lists, for one photo.
        pair: which convolution.
        place: row and column of the map that is given.
        channel: of the map that is read: the one shown for the first step.
        kernel: which pointwise filter.
    """
    row, column = place
    first, second = opened.layer(pair.depthwise), opened.layer(pair.pointwise)
    before = outputs[pair.read]
    shown = depthwise_at(first, before, row, column, channel)
    weights = [np.asarray(w, np.float64) for w in second.get_weights()]
    if pair.given is None:
        each = [depthwise_at(first, before, row, column, c).total for c in range(pair.channels)]
        values, matrix = np.array(each), weights[1]
    else:
        values, matrix = outputs[pair.given][row, column], weights[0]
    bias = float(weights[-1][kernel]) if second.use_bias else 0.0
    hidden = pair.given is None
    return TwoSteps(
        depthwise=shown,
        pointwise=pointwise_at(matrix[0, 0, :, kernel], values, bias),
        keras=float(outputs[pair.pointwise][row, column, kernel]),
        keras_depthwise=None if hidden else float(outputs[pair.depthwise][row, column, channel]),
    )


def _pair(first: Any, second: Any, given: str | None, layers: list[Any]) -> Pair:
    _, height, width, filters = second.output.shape
    return Pair(
        depthwise=first.name,
        pointwise=second.name,
        read=inputs_of(first, layers)[0].name,
        given=given,
        kernel=first.kernel_size[0],
        channels=int(first.input.shape[-1]),
        filters=int(filters),
        height=int(height),
        width=int(width),
    )


def _is_pointwise(layer: Any) -> bool:
    """Whether a layer mixes the channels of each place of a map, and is no gate on the whole."""
    return (
        isinstance(layer, keras.layers.Conv2D)
        and is_map(layer)
        and tuple(layer.kernel_size) == (1, 1)
        and layer.output.shape[1] > 1
    )
