"""A convolution by hand: patch, kernel, products and sum; whole, and separable in two steps."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from captioning.errors import ConfigError
from captioning.lessons.encoder import OpenedEncoder, inputs_of, is_map


@dataclass(frozen=True)
class Product:
    """One number of a convolution, computed by hand.

    Attributes:
        patch: the part of the map under the kernel, float64 `(k, k, C)`; 0 outside the map.
        kernel: the weights, float64 `(k, k, C)`.
        products: patch times kernel, number by number, float64 `(k, k, C)`.
        bias: what is added to the sum of the products.
        total: the sum of the products and the bias.
        value: the total after the layer's activation, if it has one.
    """

    patch: np.ndarray
    kernel: np.ndarray
    products: np.ndarray
    bias: float
    total: float
    value: float


@dataclass(frozen=True)
class Separable:
    """What a convolution costs in multiplications, whole and in two steps.

    Attributes:
        whole: k x k x C x F for each place.
        depthwise: k x k x C for each place.
        pointwise: C x F for each place.
    """

    whole: int
    depthwise: int
    pointwise: int

    @property
    def separable(self) -> int:
        """Both steps together."""
        return self.depthwise + self.pointwise

    @property
    def saving(self) -> float:
        """How many times fewer multiplications the two steps need."""
        return self.whole / self.separable


def convolve_at(layer: Any, before: np.ndarray, row: int, column: int, channel: int) -> Product:
    """Compute one number that a convolution gives.

    Args:
        layer: a Keras `Conv2D`.
        before: what it reads, float32 `(H, W, C)`.
        row: of the place in its output.
        column: of the place in its output.
        channel: which of its kernels.

    Raises:
        ConfigError: the layer's activation cannot be computed by hand.
    """
    weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
    bias = float(weights[1][channel]) if layer.use_bias else 0.0
    return _product(layer, before, row, column, weights[0][..., channel], bias)


def depthwise_at(layer: Any, before: np.ndarray, row: int, column: int, channel: int) -> Product:
    """Compute one number of the depthwise step: a kernel that sees one channel only.

    Args:
        layer: a Keras `DepthwiseConv2D` or `SeparableConv2D`.
        before: what it reads, float32 `(H, W, C)`.
        row: of the place in its output.
        column: of the place in its output.
        channel: of the map that is read.

    Returns:
        Arrays of shape `(k, k, 1)`.
    """
    kernel = np.asarray(layer.get_weights()[0], np.float64)[:, :, channel, :1]
    own_step = hasattr(layer, "pointwise_kernel")
    bias = 0.0 if own_step or not layer.use_bias else float(layer.get_weights()[1][channel])
    one = before[:, :, channel : channel + 1]
    return _product(layer, one, row, column, kernel, bias, activate=not own_step)


def pointwise_at(kernel: np.ndarray, values: np.ndarray, bias: float = 0.0) -> Product:
    """Compute one number of the pointwise step: all channels of one place, weighted and added.

    Args:
        kernel: the weights of one filter, `(C,)`.
        values: the channels at one place, `(C,)`.
        bias: what is added.

    Returns:
        Arrays of shape `(1, 1, C)`.
    """
    patch = np.asarray(values, np.float64).reshape(1, 1, -1)
    weights = np.asarray(kernel, np.float64).reshape(1, 1, -1)
    products = patch * weights
    total = float(products.sum() + bias)
    return Product(patch, weights, products, bias, total, total)


def multiplications(kernel: int, channels: int, filters: int, height: int, width: int) -> Separable:
    """Count the multiplications of a convolution over a whole map, done whole and in two steps.

    After Howard et al. 2017, https://arxiv.org/abs/1704.04861, section 3.1.

    >>> multiplications(3, 16, 32, 8, 8).whole, multiplications(3, 16, 32, 8, 8).separable
    (294912, 41984)
    """
    places = height * width
    return Separable(
        whole=places * kernel * kernel * channels * filters,
        depthwise=places * kernel * kernel * channels,
        pointwise=places * channels * filters,
    )


def patch_at(layer: Any, before: np.ndarray, row: int, column: int) -> np.ndarray:
    """Cut out the part of a map under a layer's kernel for one place of its output, 0 outside.

    Args:
        layer: with `kernel_size`, `strides` and `padding`.
        before: what it reads, `(H, W, C)`.
        row: of the place in its output.
        column: of the place in its output.

    Returns:
        float64 `(k, k, C)`.
    """
    high, wide = layer.kernel_size
    top = row * layer.strides[0] - padding_before(layer, before.shape[0], 0)
    left = column * layer.strides[1] - padding_before(layer, before.shape[1], 1)
    framed = np.pad(before.astype(np.float64), ((high, high), (wide, wide), (0, 0)))
    return framed[top + high : top + 2 * high, left + wide : left + 2 * wide]


def padding_before(layer: Any, size: int, axis: int) -> int:
    """Return the zeros a layer puts before its first row or column.

    With "same" padding a map of `size` becomes one of `ceil(size / stride)`; what the kernel needs
    beyond the edge is split in two, the odd one after the last.

    Args:
        layer: with `strides`, `padding`, and `kernel_size` or `pool_size`.
        size: rows or columns of what it reads.
        axis: 0 for rows, 1 for columns.
    """
    if layer.padding != "same":
        return 0
    kernel = (getattr(layer, "kernel_size", None) or layer.pool_size)[axis]
    dilation = (getattr(layer, "dilation_rate", None) or (1, 1))[axis]
    stride = layer.strides[axis]
    reach = (kernel - 1) * dilation + 1
    needed = (-(-size // stride) - 1) * stride + reach - size
    return int(max(needed, 0) // 2)


def _product(
    layer: Any,
    before: np.ndarray,
    row: int,
    column: int,
    kernel: np.ndarray,
    bias: float,
    *,
    activate: bool = True,
) -> Product:
    patch = patch_at(layer, before, row, column)
    products = patch * kernel
    total = float(products.sum() + bias)
    value = _activated(layer, total) if activate else total
    return Product(patch, kernel, products, bias, total, value)


def _activated(layer: Any, total: float) -> float:
    name = getattr(layer.activation, "__name__", "linear")
    if name == "linear":
        return total
    if name == "relu":
        return max(total, 0.0)
    raise ConfigError(f"The layer {layer.name} ends with {name}, which is not computed by hand.")


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
        """The layers whose outputs are needed to compute one place."""
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
    """Compute one number of a separable convolution.

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
