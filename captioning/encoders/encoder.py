"""Encoders run by Keras, from pixels to features.

ImageNet weights are found in a shared folder, in Keras' cache, or by download.
"""

import contextlib
import hashlib
import queue
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from captioning.arrays import assign_weights
from captioning.backend import compiled, to_numpy
from captioning.config import EncoderConfig
from captioning.encoders import PhotoEncoder
from captioning.encoders.registry import (
    EncoderSpec,
    LayerSpec,
    find_weights,
    keras_file,
    keras_folder,
    resolve,
)
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


DOWNLOAD_HOST = "https://storage.googleapis.com"
CONNECT_SECONDS = 5.0


def build_with_weights(name: str, spec: EncoderSpec, layer: LayerSpec, size: int) -> keras.Model:
    """Build the network up to `layer` with ImageNet weights.

    The weights are searched in the folder `$CAPTIONING_WEIGHTS`, then in Keras' cache, and
    otherwise downloaded.

    Returns:
        A model from scaled pixels to the layer's output.

    Raises:
        WeightsError: the weights cannot be found or downloaded, or do not match the network.
    """
    found = find_weights(name, spec, layer)
    if found is None:
        return cut_at(_download(name, spec, layer, size), layer)
    path, partial = found
    if path.parent == keras_folder():
        _check_download(path, keras_file(spec, layer)[1])
    network = build_application(spec, layer, size)
    return _load(cut_at(network, layer) if partial else network, path, layer, partial)


def build_application(
    spec: EncoderSpec, layer: LayerSpec, size: int, *, weights: str | None = None
) -> keras.Model:
    """Build the Keras application with `layer`, by default with random weights."""
    make = getattr(keras.applications, str(spec.application))
    if layer.top:
        return make(weights=weights, include_top=True)  # type: ignore[no-any-return]
    pooling = "avg" if layer.keras_name == "avg_pool" else None
    return make(  # type: ignore[no-any-return]
        weights=weights, include_top=False, input_shape=(size, size, 3), pooling=pooling
    )


def cut_at(network: keras.Model, layer: LayerSpec) -> keras.Model:
    """End `network` at `layer`."""
    if layer.keras_name == "avg_pool":
        return network
    found = network.get_layer(layer.keras_name)
    return keras.Model(network.input, found.input if layer.takes_input else found.output)


def _load(network: keras.Model, path: Path, layer: LayerSpec, partial: bool) -> keras.Model:
    try:
        network.load_weights(path)
    except Exception as error:  # Keras and h5py raise many types
        raise WeightsError(
            f"{path} does not contain the weights of this network ({error}). "
            "Replace it with a complete copy, or remove it."
        ) from error
    return network if partial else cut_at(network, layer)


def _check_download(path: Path, md5: str) -> None:
    """Compare a file that Keras has downloaded with its hash.

    Raises:
        WeightsError: it has another hash.  Keras would download it again, and delete the old one if
            that fails.
    """
    if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != md5:
        raise WeightsError(
            f"{path} is damaged or not the file from Keras (its MD5 sum should be {md5}). "
            "Move it away and try again; it has not been changed."
        )


def _download(name: str, spec: EncoderSpec, layer: LayerSpec, size: int) -> keras.Model:
    """Let Keras download the weights; it checks their hash and shows its progress."""
    try:
        # Keras' download has no timeout, so check the connection first.
        _reach(DOWNLOAD_HOST, CONNECT_SECONDS)
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for captions
            return build_application(spec, layer, size, weights="imagenet")
    except Exception as error:  # Keras raises plain Exception for a failed download
        raise WeightsError(_how_to_get(name, spec, layer, error)) from error


def _reach(url: str, seconds: float) -> None:
    """Check that a server answers, through a proxy if there is one, as in Keras' download.

    Name lookup and connection attempts have no common timeout, so the request runs in a thread that
    is abandoned after `seconds`.

    Raises:
        OSError: the server cannot be reached within `seconds`.
    """
    answers: queue.Queue[OSError | None] = queue.Queue()

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (our own constant)
            urllib.request.urlopen(request, timeout=seconds).close()  # noqa: S310
            answers.put(None)
        except urllib.error.HTTPError:  # an error is an answer as well
            answers.put(None)
        except OSError as error:
            answers.put(OSError(str(getattr(error, "reason", error))))

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"{url} did not answer within {seconds:g} seconds") from None
    if error is not None:
        raise error


def _how_to_get(name: str, spec: EncoderSpec, layer: LayerSpec, error: Any) -> str:
    file, _ = keras_file(spec, layer)
    partial = f" ({layer.partial} works as well)" if layer.partial else ""
    home = keras_folder()
    return (
        f"The ImageNet weights of {name} are not on this machine, and the download failed: "
        f"{error}. There are three ways to get them:\n"
        f"1. Connect to the internet and try again; Keras then downloads {file}.\n"
        f"2. Copy {file} from another machine to {home}.\n"
        f"3. Put {file}{partial} into any folder and set the environment variable "
        "CAPTIONING_WEIGHTS to that folder; a class can share it."
    )
