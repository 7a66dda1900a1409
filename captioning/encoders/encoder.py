"""Encoders run by Keras, from pixels to features."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioning.arrays import assign_weights
from captioning.backend import compiled, to_numpy
from captioning.config import EncoderConfig
from captioning.encoders.photo_encoder import PhotoEncoder
from captioning.encoders.registry import resolve
from captioning.encoders.weights import build_application, build_with_weights, cut_at
from captioning.errors import WeightsError


class Encoder(PhotoEncoder):
    """An encoder that Keras runs.

    Attributes:
        network: Keras model from pixels 0 to 255, float32 `(B, S, S, 3)`, to features.
    """

    def __init__(self, config: EncoderConfig, network: keras.Model) -> None:
        super().__init__(config, tuple(int(n) for n in network.output.shape[1:]))
        self.network = network
        self._run = compiled(self._forward, network)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Compute features, float32 `(B, R, D)` or `(B, D)`, of uint8 pixels `(B, S, S, 3)`."""
        return to_numpy(self._run(pixels))

    def _forward(self, pixels: Any) -> Any:
        return self.network(ops.cast(pixels, "float32"), training=False)


def load_encoder(
    config: EncoderConfig,
    *,
    arrays: Mapping[str, np.ndarray] | None = None,
    source: str = "The encoder's weights",
    random_weights: bool = False,
) -> Encoder:
    """Build the encoder that `config` describes.

    Args:
        config: the network and its layer.
        arrays: weights by variable path, for the compact encoder, from a bundle.
        source: name of their origin in error messages.
        random_weights: use random instead of trained weights, to train from scratch or to measure
            speed.

    Raises:
        ConfigError: the encoder, its layer or its size is unknown.
        WeightsError: the weights cannot be found or downloaded.
        BundleError: `arrays` do not match the network.
    """
    config, spec = resolve(config)
    if spec.in_bundle and arrays is None and not random_weights:
        raise WeightsError(
            f"The {config.name} encoder has no pretrained weights: they come with a model. "
            "Choose a model that has them, or train one."
        )
    if spec.build is not None:
        build = resolve_name(spec.build) if isinstance(spec.build, str) else spec.build
        network = build(config, random_weights)
        if arrays is not None:
            assign_weights(network, arrays, source=source)
        return Encoder(config, _in_rows(network))
    inner = load_application(config, random_weights=random_weights)
    return Encoder(config, _from_pixels(inner, spec.module, int(config.input_size or 0)))


def load_application(config: EncoderConfig, *, random_weights: bool = False) -> keras.Model:
    """Build the `keras.applications` network of an encoder.

    Args:
        config: the network and its layer.
        random_weights: use random weights instead of ImageNet weights.

    Returns:
        A model from scaled pixels to the layer's output.

    Raises:
        ConfigError: the encoder, its layer or its size is unknown.
        WeightsError: the weights cannot be found or downloaded.
    """
    config, spec = resolve(config)
    layer, size = spec.layers[str(config.layer)], int(config.input_size or 0)
    if random_weights:
        return cut_at(build_application(spec, layer, size), layer)
    return build_with_weights(config.name, spec, layer, size)


class Preprocessing(layers.Layer):
    """Scale pixels 0 to 255 like the network's `preprocess_input` function."""

    def __init__(self, module: str) -> None:
        super().__init__(name="preprocessing")
        self._scale = getattr(keras.applications, module).preprocess_input

    def call(self, pixels: Any) -> Any:
        """Scale `(B, S, S, 3)`."""
        return self._scale(pixels)


def _from_pixels(inner: keras.Model, module: str | None, size: int) -> keras.Model:
    """Add preprocessing before a network, and flatten its map to regions."""
    pixels = keras.Input((size, size, 3), name="pixels")
    x = Preprocessing(module)(pixels) if module else pixels
    return _in_rows(keras.Model(pixels, inner(x), name=inner.name))


def _in_rows(network: keras.Model) -> keras.Model:
    """Flatten a map `(B, S, S, D)` to regions `(B, R, D)`."""
    x = network.output
    if len(x.shape) != 4:
        return network
    rows = layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="regions")(x)
    return keras.Model(network.input, rows, name=network.name)
