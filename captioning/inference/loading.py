"""Opening a model's networks by ONNX Runtime, without Keras."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from captioning.arrays import check_arrays
from captioning.config import DecoderConfig, EncoderConfig
from captioning.encoders import efficientnetlite2, resolve
from captioning.errors import ConfigError
from captioning.inference.cache import cached_session, graph_key
from captioning.inference.network_arrays import compact_shapes, decoder_shapes
from captioning.inference.onnx_decoder import OnnxDecoder
from captioning.inference.onnx_encoder import OnnxEncoder
from captioning.inference.sessions import THREADS

__all__ = ["WeightsFile", "has_decoder_graph", "has_encoder_graph", "open_decoder", "open_encoder"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class WeightsFile:
    """A file of arrays, which is read only when a graph has to be written.

    Attributes:
        path: the file.
        read: returns its arrays by variable path.
    """

    path: Path
    read: Callable[[], Arrays]

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        try:
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            self.read()  # raises an error that names the file
            raise


def has_decoder_graph(config: DecoderConfig) -> bool:
    """Return whether `open_decoder` can open a decoder; kinds that were registered need Keras."""
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
        ConfigError: `attention` is asked for with pooled features.
        BundleError: the file is missing or damaged, or its arrays are not those of the decoder.
    """
    if config.kind == "attention" and len(feature_shape) != 2:
        raise ConfigError(
            "attention needs a map of regions to look at, but this encoder's layer gives one "
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


def has_encoder_graph(config: EncoderConfig) -> bool:
    """Return whether `open_encoder` can open an encoder; the others need Keras."""
    return config.name in ("compact", "efficientnetlite2")


def open_encoder(config: EncoderConfig, weights: WeightsFile | None = None) -> OnnxEncoder:
    """Open an encoder.

    Args:
        config: which network; open fields are filled in.
        weights: the arrays of an encoder that a model brings along.

    Raises:
        ConfigError: its layer or its size is unknown.
        WeightsError: its ImageNet weights are not installed.
        BundleError: the file is missing or damaged, or its arrays are not those of the encoder.
    """
    config, _ = resolve(config)
    if config.name == "compact" and weights is not None:
        write, digest = partial(_write_compact, config, weights), weights.digest()
    elif config.name == "efficientnetlite2":
        write, digest = partial(_write_lite2, config), efficientnetlite2.SHA256
    else:
        raise ConfigError(f"There is no graph of {config.name}.")
    key = graph_key(digest, config.name, config.layer, config.input_size, config.width)
    return OnnxEncoder(config, cached_session(f"{key}-encoder", write, threads=THREADS))


def _write_compact(config: EncoderConfig, weights: WeightsFile) -> bytes:
    from captioning.inference.encoder_graphs import compact_graph  # needs `onnx`

    arrays = weights.read()
    check_arrays(compact_shapes(config), arrays, source=str(weights.path))
    return compact_graph(config, arrays)


def _write_lite2(config: EncoderConfig) -> bytes:
    from captioning.inference.encoder_graphs import lite2_graph

    return lite2_graph(config, efficientnetlite2.lite2_arrays())
