"""A convolution by hand: a patch, a kernel, their products and the sum; whole and separable."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.errors import ConfigError

__all__ = [
    "Product",
    "Separable",
    "convolve_at",
    "depthwise_at",
    "multiplications",
    "padding_before",
    "patch_at",
    "pointwise_at",
]


@dataclass(frozen=True)
class Product:
    """One number of a convolution, worked out by hand.

    Attributes:
        patch: what the kernel lies on, float64 `(k, k, C)`; 0 outside the map.
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
    """Work out one number that a convolution gives.

    Args:
        layer: a Keras `Conv2D`.
        before: what it reads, float32 `(H, W, C)`.
        row: of the place in its output.
        column: of the place in its output.
        channel: which of its kernels.

    Raises:
        ConfigError: the layer's activation cannot be worked out by hand.
    """
    weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
    bias = float(weights[1][channel]) if layer.use_bias else 0.0
    return _product(layer, before, row, column, weights[0][..., channel], bias)


def depthwise_at(layer: Any, before: np.ndarray, row: int, column: int, channel: int) -> Product:
    """Work out one number of the depthwise step: a kernel that sees one channel only.

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
    """Work out one number of the pointwise step: all channels of one place, weighted and added.

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
    """Cut out what a layer's kernel lies on for one place of its output, 0 outside the map.

    Args:
        layer: with `kernel_size`, `strides` and `padding`.
        before: what it reads, `(H, W, C)`.
        row: of the place in its output.
        column: of the place in its output.

    Returns:
        float64 `(k, k, C)`.
    """
    high, wide = layer.kernel_size
    found = np.zeros((high, wide, before.shape[2]))
    top = row * layer.strides[0] - padding_before(layer, before.shape[0], 0)
    left = column * layer.strides[1] - padding_before(layer, before.shape[1], 1)
    for y in range(high):
        for x in range(wide):
            if 0 <= top + y < before.shape[0] and 0 <= left + x < before.shape[1]:
                found[y, x] = before[top + y, left + x]
    return found


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
    raise ConfigError(f"The layer {layer.name} ends with {name}, which is not worked out by hand.")
