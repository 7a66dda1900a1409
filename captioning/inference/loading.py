"""Open the networks of a model with ONNX Runtime, without Keras where possible."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from captioning.arrays import check_arrays
from captioning.cells import CELLS
from captioning.config import DecoderConfig, EncoderConfig
from captioning.encoders import COMPACT_BLOCKS, PhotoEncoder, efficientnetlite2, resolve
from captioning.encoders.registry import find_weights
from captioning.errors import ConfigError
from captioning.inference.onnx_networks import (
    THREADS,
    OnnxDecoder,
    OnnxEncoder,
    cached_session,
    graph_key,
)

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class WeightsFile:
    """A file of arrays that is read only when a graph has to be written.

    Attributes:
        path: the file.
        read: returns its arrays by variable path.
    """

    path: Path
    read: Callable[[], Arrays]

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        try:
            return _file_digest(self.path)
        except OSError:
            self.read()  # raises an error that names the file
            raise


@dataclass(frozen=True)
class HeldWeights:
    """Arrays in memory.

    Attributes:
        arrays: by variable path.
        path: name of their origin in error messages.
    """

    arrays: Arrays
    path: str = "The encoder's weights"

    def read(self) -> Arrays:
        """Return the arrays."""
        return self.arrays

    def digest(self) -> str:
        """Return the SHA-256 of names and values."""
        digest = hashlib.sha256()
        for name, value in sorted(self.arrays.items()):
            digest.update(f"{name} {value.shape} {value.dtype}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()


Weights = WeightsFile | HeldWeights


def has_decoder_graph(config: DecoderConfig) -> bool:
    """Return whether `open_decoder` can open a decoder; registered kinds need Keras."""
    return config.kind in ("merge", "inject", "attention")


def open_decoder(
    config: DecoderConfig,
    weights: WeightsFile,
    *,
    vocabulary_size: int,
    feature_shape: tuple[int, ...],
) -> OnnxDecoder:
    """Open a decoder.

    Args:
        config: kind and sizes.
        weights: its arrays.
        vocabulary_size: V.
        feature_shape: `(R, D)` or `(D,)`.

    Raises:
        ConfigError: the kind is `attention`, but the features are pooled.
        BundleError: the file is missing or damaged, or its arrays do not match the decoder.
    """
    if config.kind == "attention" and len(feature_shape) != 2:
        raise ConfigError(
            "attention needs a map of regions, but this encoder's layer returns one "
            f"vector of {feature_shape[0]} numbers."
        )

    @cache
    def arrays() -> Arrays:
        found = weights.read()
        shapes = decoder_shapes(
            config, vocabulary_size=vocabulary_size, feature_shape=feature_shape
        )
        check_arrays(shapes, found, source=str(weights.path))
        return found

    def memory() -> bytes:
        from captioning.inference.decoder_graphs import memory_graph  # needs `onnx`

        return memory_graph(config, arrays(), feature_shape)

    def step() -> bytes:
        from captioning.inference.decoder_graphs import step_graph

        return step_graph(config, arrays())

    key = graph_key(weights.digest(), config.to_dict(), vocabulary_size, feature_shape)
    return OnnxDecoder(
        cached_session(f"{key}-memory", memory),
        cached_session(f"{key}-step", step),
        max_length=config.max_length,
        vocabulary_size=vocabulary_size,
    )


def open_encoder(
    config: EncoderConfig, weights: Weights | None = None, *, use_gpu: bool = False
) -> PhotoEncoder:
    """Open an encoder by its graph, or with Keras if no graph can be written.

    Keras is imported when the graph of a network in `keras.applications` is written, which happens
    once, and for encoders that were added with `register_encoder`.

    Args:
        config: the encoder; open fields are filled in.
        weights: the arrays of an encoder that is stored in a bundle.
        use_gpu: prefer Keras if the backend in `KERAS_BACKEND` finds a GPU.

    Raises:
        ConfigError: the encoder, its layer or its size is unknown.
        WeightsError: its weights cannot be found or downloaded.
        BundleError: the file is missing or damaged, or its arrays do not match the encoder.
    """
    config, spec = resolve(config)
    if not (use_gpu and _finds_gpu()):
        if config.name == "compact" and weights is not None:
            return _by_graph(config, partial(_write_compact, config, weights), weights.digest())
        if config.name == "efficientnetlite2":
            return _by_graph(config, partial(_write_lite2, config), efficientnetlite2.SHA256)
        # The first call may have to download the file; then the second one writes the graph.
        found = find_weights(config.name, spec, spec.layers[str(config.layer)])
        if spec.application is not None and found is not None:
            with suppress(NotImplementedError, OSError):
                write = partial(_write_application, config, spec.module)
                return _by_graph(config, write, _file_digest(found[0]))
    return _by_keras(config, weights)


def _finds_gpu() -> bool:
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        return False  # its CPU build is installed
    import keras

    # Asked for "gpu", JAX raises an error where there is none.
    return not all(name.startswith("cpu") for name in keras.distribution.list_devices())


def _by_keras(config: EncoderConfig, weights: Weights | None) -> PhotoEncoder:
    from captioning.encoders import load_encoder

    if weights is None:
        return load_encoder(config)
    return load_encoder(config, arrays=weights.read(), source=str(weights.path))


def _by_graph(config: EncoderConfig, write: Callable[[], bytes], digest: str) -> OnnxEncoder:
    key = graph_key(digest, config.name, config.layer, config.input_size, config.width)
    return OnnxEncoder(config, cached_session(f"{key}-encoder", write, threads=THREADS))


def _write_compact(config: EncoderConfig, weights: Weights) -> bytes:
    from captioning.inference.encoder_graphs import compact_graph  # needs `onnx`

    arrays = weights.read()
    check_arrays(compact_shapes(config), arrays, source=str(weights.path))
    return compact_graph(config, arrays)


def _write_lite2(config: EncoderConfig) -> bytes:
    from captioning.inference.encoder_graphs import lite2_graph

    return lite2_graph(config, efficientnetlite2.lite2_arrays())


def _write_application(config: EncoderConfig, module: str | None) -> bytes:
    from captioning.encoders.encoder import load_application
    from captioning.inference.keras_graphs import application_graph  # needs Keras

    return application_graph(load_application(config), module)


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The names and shapes of the networks' arrays, as in Keras, computed without Keras.

Shapes = dict[str, tuple[int, ...]]


def decoder_shapes(
    config: DecoderConfig, *, vocabulary_size: int, feature_shape: tuple[int, ...]
) -> Shapes:
    """Return the shapes of a decoder's arrays."""
    units, channels, words = config.units, feature_shape[-1], config.embedding_size
    reads = words
    shapes: Shapes = {"scaling/mean": (channels,), "scaling/deviation": (channels,)}
    if config.kind == "merge":
        shapes |= _dense("photo", channels, units) | _dense("merge", units, units)
    elif config.kind == "inject":
        shapes |= _first_state(config, channels)
    else:
        reads += units
        shapes |= _dense("regions", channels, units) | _dense("mix", 2 * units, units)
        shapes |= _first_state(config, units) | _dense("value", units, units)
        shapes |= {"query/kernel": (units, units), "key/kernel": (units, units)}
    cell, spec = f"{config.cell}/{config.cell}_cell", CELLS[config.cell]
    gates = len(spec.gates) * units
    shapes |= {
        "embedding/embeddings": (vocabulary_size, words),
        f"{cell}/kernel": (reads, gates),
        f"{cell}/recurrent_kernel": (units, gates),
        f"{cell}/bias": (gates,) if spec.bias_rows == 1 else (spec.bias_rows, gates),
    }
    shapes |= _dense("vocabulary", units, vocabulary_size)
    return {f"decoder/{path}": shape for path, shape in shapes.items()}


def _first_state(config: DecoderConfig, reads: int) -> Shapes:
    shapes: Shapes = {}
    for name in config.state_names:
        shapes |= _dense(f"photo_{name}", reads, config.units)
    return shapes


def compact_shapes(config: EncoderConfig) -> Shapes:
    """Return the shapes of the compact encoder's arrays."""
    channels = config.width
    shapes: Shapes = {"stem_conv/kernel": (3, 3, 3, channels)} | _norm("stem", channels)
    for stage, blocks in enumerate(COMPACT_BLOCKS, start=1):
        shapes |= _separable(f"stage{stage}_down", channels, 2 * channels)
        channels *= 2
        for block in range(1, blocks + 1):
            shapes |= _separable(f"stage{stage}_block{block}", channels, channels)
    return shapes


def _dense(layer: str, reads: int, units: int) -> Shapes:
    return {f"{layer}/kernel": (reads, units), f"{layer}/bias": (units,)}


def _separable(name: str, channels: int, out: int) -> Shapes:
    return {
        f"{name}_depthwise/kernel": (3, 3, channels, 1),
        f"{name}_pointwise/kernel": (1, 1, channels, out),
        **_norm(name, out),
    }


def _norm(name: str, channels: int) -> Shapes:
    rows = ("gamma", "beta", "moving_mean", "moving_variance")
    return {f"{name}_norm/{row}": (channels,) for row in rows}
