"""Encoders as ONNX graphs, written from their arrays, and the convolutions they consist of.

Convolutions have Keras' padding and folded batch normalisation.  Kernels have Keras' shapes:
`(height, width, in, out)`, for a depthwise convolution `(height, width, channels, 1)`.  The graphs
implement the networks of `captioning.encoders` a second time; parity tests compare the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.config import EncoderConfig
from captioning.encoders import COMPACT_BLOCKS
from captioning.encoders.efficientnetlite2 import blocks
from captioning.inference.graph import Graph

KERAS_EPSILON = 1e-3


@dataclass(frozen=True)
class Normalization:
    """A batch normalisation for inference: scale and shift of each channel."""

    scale: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(
        cls, array: Callable[[str], np.ndarray], *, epsilon: float = KERAS_EPSILON
    ) -> "Normalization":
        """Read Keras' four arrays; `array` returns one by name."""
        variance = np.asarray(array("moving_variance"), np.float64)
        scale = np.asarray(array("gamma"), np.float64) / np.sqrt(variance + epsilon)
        return cls(scale, array("beta") - scale * array("moving_mean"))


@dataclass(frozen=True)
class Maps:
    """A result `(B, channels, size, size)` of a graph, with operations on it."""

    graph: Graph
    name: str
    size: int

    def convolved(
        self,
        kernel: np.ndarray,
        norm: Normalization | None = None,
        *,
        bias: np.ndarray | None = None,
        stride: int = 1,
        padding: str = "same",
        depthwise: bool = False,
    ) -> "Maps":
        """Apply a convolution, followed by a normalisation or a bias."""
        weight = np.asarray(kernel, np.float64)
        if depthwise:
            weight = weight.transpose(0, 1, 3, 2)
        if norm is not None:
            weight, bias = weight * norm.scale, norm.shift
        inputs = [self.name, self.graph.weight(weight.transpose(3, 2, 0, 1))]
        if bias is not None:
            inputs.append(self.graph.weight(bias))
        window, size = _window(self.size, kernel.shape[:2], stride, padding)
        groups = kernel.shape[2] if depthwise else 1
        name = self.graph.add("Conv", *inputs, **window, group=groups)
        return Maps(self.graph, name, size)

    def applied(self, operation: str, *others: "Maps | str", **attributes: object) -> "Maps":
        """Apply an operation that keeps the size."""
        names = [other.name if isinstance(other, Maps) else other for other in others]
        name = self.graph.add(operation, self.name, *names, **attributes)
        return Maps(self.graph, name, self.size)

    def scaled(self, scale: np.ndarray | float, shift: np.ndarray | float) -> "Maps":
        """Multiply by `scale` and add `shift`; each is a number or one per channel."""
        factor, summand = (
            self.graph.weight(np.reshape(value, (-1, 1, 1))) for value in (scale, shift)
        )
        product = self.graph.add("Mul", self.name, factor)
        return Maps(self.graph, self.graph.add("Add", product, summand), self.size)

    def pooled(self, side: int, *, stride: int, padding: str, operation: str = "MaxPool") -> "Maps":
        """Apply max pooling, or average pooling with `AveragePool`."""
        window, size = _window(self.size, (side, side), stride, padding)
        return Maps(self.graph, self.graph.add(operation, self.name, **window), size)


def read_pixels(
    graph: Graph,
    size: int,
    *,
    scale: np.ndarray | float,
    shift: np.ndarray | float,
    reverse: bool = False,
) -> Maps:
    """Declare the input `pixels`, uint8 `(B, S, S, 3)`, and multiply by `scale` and add `shift`.

    An array `(3,)` has one number per channel; with `reverse`, channels are blue, green, red.
    """
    pixels = graph.add("Cast", graph.input("pixels", "B", size, size, 3, dtype="uint8"), to=1)
    if reverse:
        order = graph.weight(np.array([2, 1, 0]), np.int64)
        pixels = graph.add("Gather", pixels, order, axis=3)
    maps = Maps(graph, graph.add("Transpose", pixels, perm=(0, 3, 1, 2)), size)
    return maps.scaled(scale, shift)


def write_regions(maps: Maps) -> bytes:
    """Declare the output `features`, the map's regions row by row, `(B, R, D)`; return the file."""
    graph = maps.graph
    last = graph.add("Transpose", maps.name, perm=(0, 2, 3, 1))
    graph.output("features", graph.add("Reshape", last, graph.shape(0, maps.size**2, -1)))
    return graph.to_bytes()


def _window(
    size: int, sides: tuple[int, ...], stride: int, padding: str
) -> tuple[dict[str, Any], int]:
    """Return the attributes of a node with a sliding window, and the size of its output."""
    befores, afters, sizes = zip(
        *(_padded(size, side, stride, padding) for side in sides), strict=True
    )
    if len(set(sizes)) != 1:
        raise NotImplementedError(f"A window of {sides} gives a map that is not square.")
    attributes = {"kernel_shape": sides, "strides": (stride, stride), "pads": befores + afters}
    return attributes, int(sizes[0])


def _padded(size: int, side: int, stride: int, padding: str) -> tuple[int, int, int]:
    """Return the padding before and after a row, and the size of the output."""
    if padding == "valid":
        return 0, 0, (size - side) // stride + 1
    out = -(-size // stride)
    zeros = max((out - 1) * stride + side - size, 0)
    return zeros // 2, zeros - zeros // 2, out


def compact_graph(config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write the compact encoder: `pixels` uint8 `(B, S, S, 3)` to `features` `(B, R, D)`."""
    maps = read_pixels(Graph("compact"), int(config.input_size or 224), scale=1 / 127.5, shift=-1.0)
    maps = maps.convolved(arrays["stem_conv/kernel"], _norm(arrays, "stem"), stride=2)
    for stage, repeats in enumerate(COMPACT_BLOCKS, start=1):
        # Small images keep at least 8x8 regions, as in `build_compact`.
        stride = 2 if maps.size > 8 else 1
        maps = _separable(maps, arrays, f"stage{stage}_down", stride)
        for block in range(1, repeats + 1):
            more = _separable(maps, arrays, f"stage{stage}_block{block}", 1)
            maps = maps.applied("Add", more)
    return write_regions(maps.applied("Relu"))


def lite2_graph(config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write EfficientNet-Lite2: `pixels` uint8 `(B, S, S, 3)` to `features` `(B, R, 1280)`."""
    size = int(config.input_size or 224)
    maps = read_pixels(Graph("efficientnetlite2"), size, scale=1 / 128, shift=-127 / 128)

    def convolved(maps: Maps, name: str, *, stride: int = 1, depthwise: bool = False) -> Maps:
        # Stem and head have layer names, the parts of a block have names without a suffix.
        layer = f"{name}_conv" if name in ("stem", "head") else name
        kernel, norm = arrays[f"{layer}/kernel"], _norm(arrays, name)
        return maps.convolved(kernel, norm, stride=stride, depthwise=depthwise)

    def relu6(maps: Maps) -> Maps:
        return maps.applied("Clip", maps.graph.weight(0.0), maps.graph.weight(6.0))

    maps = relu6(convolved(maps, "stem", stride=2))
    for number, block in enumerate(blocks(), start=1):
        name, entering = f"block{number}", maps
        if block.expansion > 1:
            maps = relu6(convolved(maps, f"{name}_expand"))
        depthwise = convolved(maps, f"{name}_depthwise", stride=block.stride, depthwise=True)
        maps = convolved(relu6(depthwise), f"{name}_project")
        if block.stride == 1 and block.inputs == block.outputs:
            maps = maps.applied("Add", entering)
    return write_regions(relu6(convolved(maps, "head")))


def _separable(maps: Maps, arrays: Mapping[str, np.ndarray], name: str, stride: int) -> Maps:
    depthwise = arrays[f"{name}_depthwise/kernel"]
    maps = maps.applied("Relu").convolved(depthwise, stride=stride, depthwise=True)
    return maps.convolved(arrays[f"{name}_pointwise/kernel"], _norm(arrays, name))


def _norm(arrays: Mapping[str, np.ndarray], name: str) -> Normalization:
    return Normalization.of(lambda row: arrays[f"{name}_norm/{row}"])
