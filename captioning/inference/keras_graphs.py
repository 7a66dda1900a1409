"""Networks of `keras.applications` as ONNX graphs, written layer by layer.

This module imports Keras.  It is needed once per encoder: the graph is cached, and captioning uses
it without Keras.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from captioning.inference.encoder_graphs import Maps, Normalization, read_pixels, write_regions
from captioning.inference.graph import Graph


@dataclass(frozen=True)
class Vectors:
    """A result `(B, D)` of a graph."""

    graph: Graph
    name: str


Value = Maps | Vectors


def application_graph(network: keras.Model, module: str | None) -> bytes:
    """Write a network: `pixels` uint8 `(B, S, S, 3)` to `features` `(B, R, D)` or `(B, D)`.

    Args:
        network: a functional model of `keras.applications`, from scaled pixels to features.
        module: the module of `keras.applications` whose `preprocess_input` scales its pixels; None
            if the network scales them itself.

    Raises:
        NotImplementedError: it has an unsupported layer.
    """
    scale, shift, reverse = _preprocessing(module)
    pixels = read_pixels(
        Graph(network.name), network.input.shape[1], scale=scale, shift=shift, reverse=reverse
    )
    features = _Network(network).written(pixels)
    if isinstance(features, Maps):
        return write_regions(features)
    pixels.graph.output("features", features.name)
    return pixels.graph.to_bytes()


def _preprocessing(module: str | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Determine the scale and shift of `preprocess_input` for each channel, and BGR or RGB."""
    if module is None:
        return np.ones(3), np.zeros(3), False
    scaled = getattr(keras.applications, module).preprocess_input
    black = scaled(np.zeros((1, 3)))[0]
    slopes = (scaled(255.0 * np.eye(3)) - black) / 255.0
    reverse = slopes[0, 0] == 0
    return np.diag(slopes[::-1] if reverse else slopes), black, bool(reverse)


class _Network:
    """A functional model in which each layer is called once, and its graph under construction."""

    def __init__(self, network: keras.Model) -> None:
        self._model = network
        self._values: dict[int, Value] = {}
        self._folded: set[str] = set()
        self._readers: dict[int, list[layers.Layer]] = defaultdict(list)
        for layer in network.layers:
            for tensor in _inputs(layer):
                self._readers[id(tensor)].append(layer)

    def written(self, pixels: Maps) -> Value:
        """Write all layers; return the output."""
        self._values[id(self._model.inputs[0])] = pixels
        for layer in self._model.layers:
            if not isinstance(layer, layers.InputLayer):
                read = [self._values[id(tensor)] for tensor in _inputs(layer)]
                self._values[id(layer.output)] = self._written(layer, read)
        return self._values[id(self._model.outputs[0])]

    def _written(self, layer: Any, read: list[Value]) -> Value:
        kind = type(layer)
        if kind in _CONVOLUTIONS:
            norm = self._norm_after(layer)
            if norm is not None:
                self._folded.add(norm.name)
            folded = norm and _normalization(norm)
            return _activated(layer, _CONVOLUTIONS[kind](layer, _one_map(layer, read), folded))
        if layer.name in self._folded or kind is layers.Dropout:
            return read[0]
        if kind in _OF_ONE_MAP:
            return _OF_ONE_MAP[kind](layer, _one_map(layer, read))
        if kind in _OF_MAPS:
            return _OF_MAPS[kind](layer, [_one_map(layer, [value]) for value in read])
        if kind in _OF_VECTORS and isinstance(read[0], Vectors):
            return _OF_VECTORS[kind](layer, read[0])
        raise NotImplementedError(f"{layer.name}: {kind.__name__}")

    def _norm_after(self, layer: Any) -> layers.BatchNormalization | None:
        """Return the batch normalisation that is the only consumer of a convolution, if any."""
        readers = self._readers[id(layer.output)]
        linear = layer.activation is keras.activations.linear
        if not linear or len(readers) != 1 or layer.output is self._model.outputs[0]:
            return None
        return readers[0] if type(readers[0]) is layers.BatchNormalization else None


def _inputs(layer: layers.Layer) -> list[Any]:
    if isinstance(layer, layers.InputLayer):
        return []
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _one_map(layer: layers.Layer, read: list[Value]) -> Maps:
    if len(read) == 1 and isinstance(read[0], Maps):
        return read[0]
    raise NotImplementedError(f"{layer.name}: expected to read one map")


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))


def _normalization(layer: Any) -> Normalization:
    channels = layer.moving_variance.shape
    rows = {
        "gamma": np.ones(channels) if layer.gamma is None else _array(layer.gamma),
        "beta": np.zeros(channels) if layer.beta is None else _array(layer.beta),
        "moving_mean": _array(layer.moving_mean),
        "moving_variance": _array(layer.moving_variance),
    }
    return Normalization.of(rows.__getitem__, epsilon=layer.epsilon)


# convolutions


def _windows(layer: Any) -> dict[str, Any]:
    """Return stride and padding, which must be equal in both directions."""
    strides, dilation = set(layer.strides), getattr(layer, "dilation_rate", (1, 1))
    usual = len(strides) == 1 and set(dilation) == {1} and getattr(layer, "groups", 1) == 1
    if not usual or layer.data_format != "channels_last":
        raise NotImplementedError(f"{layer.name}: strides {layer.strides}, dilation {dilation}")
    return {"stride": strides.pop(), "padding": layer.padding}


def _with_bias(layer: Any, norm: Normalization | None) -> dict[str, Any]:
    """Return the bias of a convolution, or the normalisation with the bias included."""
    bias = _array(layer.bias) if layer.use_bias else None
    if norm is None or bias is None:
        return {"norm": norm, "bias": bias}
    return {"norm": Normalization(norm.scale, norm.shift + norm.scale * bias)}


def _convolution(layer: Any, maps: Maps, norm: Normalization | None) -> Maps:
    return maps.convolved(_array(layer.kernel), **_windows(layer), **_with_bias(layer, norm))


def _depthwise(layer: Any, maps: Maps, norm: Normalization | None) -> Maps:
    return _each_channel(layer, layer.kernel, maps, **_with_bias(layer, norm))


def _separable(layer: Any, maps: Maps, norm: Normalization | None) -> Maps:
    maps = _each_channel(layer, layer.depthwise_kernel, maps)
    return maps.convolved(_array(layer.pointwise_kernel), **_with_bias(layer, norm))


def _each_channel(layer: Any, kernel: Any, maps: Maps, **added: Any) -> Maps:
    if layer.depth_multiplier != 1:
        raise NotImplementedError(f"{layer.name}: depth multiplier {layer.depth_multiplier}")
    return maps.convolved(_array(kernel), **_windows(layer), **added, depthwise=True)


_CONVOLUTIONS: dict[type, Callable[[Any, Maps, Normalization | None], Maps]] = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _separable,
}


# layers of one map


def _activated(layer: Any, maps: Maps) -> Maps:
    activation = layer.activation
    if activation is keras.activations.linear:
        return maps
    if activation is keras.activations.silu:
        return maps.applied("Mul", maps.applied("Sigmoid"))
    names = {keras.activations.relu: "Relu", keras.activations.sigmoid: "Sigmoid"}
    if activation not in names:
        raise NotImplementedError(f"{layer.name}: activation {activation}")
    return maps.applied(names[activation])


def _rectified(layer: Any, maps: Maps) -> Maps:
    if layer.negative_slope or layer.threshold:
        raise NotImplementedError(f"{layer.name}: a ReLU with a slope or a threshold")
    if layer.max_value is None:
        return maps.applied("Relu")
    return maps.applied("Clip", maps.graph.weight(0.0), maps.graph.weight(float(layer.max_value)))


def _rescaled(layer: Any, maps: Maps) -> Maps:
    return maps.scaled(layer.scale, layer.offset)


def _standardized(layer: Any, maps: Maps) -> Maps:
    mean, deviation = _array(layer.mean).ravel(), np.sqrt(_array(layer.variance)).ravel()
    return maps.scaled(1 / deviation, -mean / deviation)


def _pooled(layer: Any, maps: Maps) -> Maps:
    largest = isinstance(layer, layers.MaxPooling2D)
    if len(set(layer.pool_size)) != 1:
        raise NotImplementedError(f"{layer.name}: windows of {layer.pool_size}")
    operation = "MaxPool" if largest else "AveragePool"
    return maps.pooled(layer.pool_size[0], **_windows(layer), operation=operation)


def _averaged(layer: Any, maps: Maps) -> Vectors:
    if layer.keepdims:
        raise NotImplementedError(f"{layer.name}: keepdims")
    mean = maps.graph.add("ReduceMean", maps.name, axes=[2, 3], keepdims=0)
    return Vectors(maps.graph, mean)


def _padded(layer: Any, maps: Maps) -> Maps:
    (before, after), columns = layer.padding
    if (before, after) != tuple(columns):
        raise NotImplementedError(f"{layer.name}: padding {layer.padding}")
    pads = maps.graph.shape(0, 0, before, before, 0, 0, after, after)
    name = maps.graph.add("Pad", maps.name, pads)
    return Maps(maps.graph, name, maps.size + before + after)


def _flattened(layer: Any, maps: Maps) -> Vectors:
    last = maps.graph.add("Transpose", maps.name, perm=(0, 2, 3, 1))
    return Vectors(maps.graph, maps.graph.add("Flatten", last, axis=1))


_OF_ONE_MAP: dict[type, Callable[[Any, Maps], Value]] = {
    layers.Activation: _activated,
    layers.ReLU: _rectified,
    layers.Rescaling: _rescaled,
    layers.Normalization: _standardized,
    layers.MaxPooling2D: _pooled,
    layers.AveragePooling2D: _pooled,
    layers.GlobalAveragePooling2D: _averaged,
    layers.ZeroPadding2D: _padded,
    layers.Flatten: _flattened,
}


# layers of several maps


def _combined(layer: Any, maps: list[Maps]) -> Maps:
    operation = "Add" if isinstance(layer, layers.Add) else "Mul"
    result = maps[0]
    for other in maps[1:]:
        result = result.applied(operation, other)
    # A map of one region scales the channels of another one.
    return Maps(result.graph, result.name, max(value.size for value in maps))


def _joined(layer: Any, maps: list[Maps]) -> Maps:
    if layer.axis not in (3, -1):
        raise NotImplementedError(f"{layer.name}: joined along axis {layer.axis}")
    return maps[0].applied("Concat", *maps[1:], axis=1)


_OF_MAPS: dict[type, Callable[[Any, list[Maps]], Value]] = {
    layers.Add: _combined,
    layers.Multiply: _combined,
    layers.Concatenate: _joined,
}


# layers of vectors


def _reshaped(layer: Any, vectors: Vectors) -> Maps:
    if tuple(layer.target_shape[:2]) != (1, 1):
        raise NotImplementedError(f"{layer.name}: reshaped to {layer.target_shape}")
    graph = vectors.graph
    return Maps(graph, graph.add("Reshape", vectors.name, graph.shape(0, -1, 1, 1)), 1)


def _dense(layer: Any, vectors: Vectors) -> Vectors:
    graph, bias = vectors.graph, _array(layer.bias) if layer.use_bias else None
    product = graph.dense(vectors.name, _array(layer.kernel), bias)
    if layer.activation is keras.activations.relu:
        return Vectors(graph, graph.add("Relu", product))
    if layer.activation is keras.activations.linear:
        return Vectors(graph, product)
    raise NotImplementedError(f"{layer.name}: activation {layer.activation}")


_OF_VECTORS: dict[type, Callable[[Any, Vectors], Value]] = {
    layers.Reshape: _reshaped,
    layers.Dense: _dense,
}
