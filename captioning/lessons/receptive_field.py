"""The receptive field: which pixels of the photo can change one place of a map.

Computed from kernels, strides and padding alone, so this is the widest possible field; how much
each pixel counts is another matter (Luo et al. 2016, https://arxiv.org/abs/1701.04128).
"""

import math
from dataclasses import dataclass
from typing import Any

import keras

from captioning.errors import ConfigError
from captioning.lessons.convolution import padding_before
from captioning.lessons.encoder import OpenedEncoder, inputs_of


@dataclass(frozen=True)
class Span:
    """What place `i` of a map reads along one axis: pixels `jump * i + first` to `jump * i + last`.

    Attributes:
        jump: pixels from one place to the next.
        first: of the pixels that place 0 reads; -inf if every place reads all.
        last: of the pixels that place 0 reads, inclusive; +inf if every place reads all.
    """

    jump: int
    first: float
    last: float

    @property
    def size(self) -> float:
        """How many pixels a place reads, those beyond the photo's edge included."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Box:
    """Pixels of a photo: rows `top` to `bottom` and columns `left` to `right`, inclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)


@dataclass(frozen=True)
class Field:
    """The receptive field of the places of one map.

    Attributes:
        rows: along the height.
        columns: along the width.
        size: side of the photo in pixels.
    """

    rows: Span
    columns: Span
    size: int

    @property
    def whole(self) -> bool:
        """Whether every place reads the whole photo, by way of a mean over all places."""
        return math.isinf(self.rows.size)

    def at(self, row: int, column: int) -> Box:
        """Return the pixels of the photo that the place at `row`, `column` can be changed by."""
        top, bottom = self._clipped(self.rows, row)
        left, right = self._clipped(self.columns, column)
        return Box(top, left, bottom, right)

    def _clipped(self, span: Span, place: int) -> tuple[int, int]:
        first = max(span.jump * place + span.first, 0)
        last = min(span.jump * place + span.last, self.size - 1)
        return int(first), int(last)


_PIXEL = (Span(1, 0, 0), Span(1, 0, 0))
_ALL = (Span(1, -math.inf, math.inf), Span(1, -math.inf, math.inf))
_WITHOUT_NEIGHBOURS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.BatchNormalization,
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.Dropout,
)
_SEVERAL = (keras.layers.Add, keras.layers.Concatenate, keras.layers.Multiply)
_WINDOWS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
_OF_ALL = (keras.layers.GlobalAveragePooling2D, keras.layers.Flatten, keras.layers.Dense)


def field_of(opened: OpenedEncoder, name: str) -> Field:
    """Return the receptive field of a layer's map.

    Raises:
        ConfigError: there is no such layer, or a layer on the way is of a kind not known here.
    """
    opened.layer(name)
    return fields(opened)[name]


def fields(opened: OpenedEncoder) -> dict[str, Field]:
    """Return the receptive fields of all layers by their names, from the first to the last.

    Raises:
        ConfigError: a layer is of a kind not known here.
    """
    size = int(opened.encoder.config.input_size or 0)
    layers, found = opened.layers, dict[str, tuple[Span, Span]]()
    for layer in layers:
        before = [found[other.name] for other in inputs_of(layer, layers)]
        rows, columns = _through(layer, before)
        found[layer.name] = (rows, columns)
    return {name: Field(rows, columns, size) for name, (rows, columns) in found.items()}


def _through(layer: Any, before: list[tuple[Span, Span]]) -> tuple[Span, Span]:
    """Follow the spans of what a layer reads to those of what it gives."""
    if isinstance(layer, keras.layers.InputLayer):
        return _PIXEL
    if any(math.isinf(rows.size) for rows, _ in before) or isinstance(layer, _OF_ALL):
        return _ALL
    if isinstance(layer, _SEVERAL):
        return _joined([rows for rows, _ in before]), _joined([columns for _, columns in before])
    spans = before[0]
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return _padded(spans[0], layer.padding[0][0]), _padded(spans[1], layer.padding[1][0])
    if isinstance(layer, keras.layers.Reshape) or layer.__class__.__name__ == "Preprocessing":
        return spans
    if isinstance(layer, _WITHOUT_NEIGHBOURS):
        return spans
    if isinstance(layer, _WINDOWS) or hasattr(layer, "kernel_size"):
        return _windowed(layer, spans[0], 0), _windowed(layer, spans[1], 1)
    raise ConfigError(
        f"What the layer {layer.name} ({layer.__class__.__name__}) reads is not known here."
    )


def _windowed(layer: Any, span: Span, axis: int) -> Span:
    kernel = (getattr(layer, "kernel_size", None) or layer.pool_size)[axis]
    dilation = (getattr(layer, "dilation_rate", None) or (1, 1))[axis]
    before = padding_before(layer, int(layer.input.shape[1 + axis]), axis)
    reach = (kernel - 1) * dilation
    return Span(
        jump=span.jump * layer.strides[axis],
        first=span.first - span.jump * before,
        last=span.last + span.jump * (reach - before),
    )


def _padded(span: Span, before: int) -> Span:
    return Span(span.jump, span.first - span.jump * before, span.last - span.jump * before)


def _joined(spans: list[Span]) -> Span:
    return Span(spans[0].jump, min(s.first for s in spans), max(s.last for s in spans))
