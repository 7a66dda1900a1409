"""The encoder and decoder of a bundle, ready to run: as ONNX graphs, or in Keras without one."""

from typing import TYPE_CHECKING

from captioning.bundle import Bundle
from captioning.decoding import StepModel
from captioning.encoders import PhotoEncoder, resolve
from captioning.errors import BundleError, ConfigError
from captioning.inference.loading import (
    WeightsFile,
    has_decoder_graph,
    open_decoder,
    open_encoder,
)

if TYPE_CHECKING:
    from captioning.decoders import Decoder
    from captioning.encoders import Encoder

__all__ = ["decoder_of", "encoder_of", "keras_decoder_of", "keras_encoder_of"]


def decoder_of(bundle: Bundle) -> StepModel:
    """Load a bundle's decoder; imports Keras only for a decoder that has no ONNX graph.

    Raises:
        BundleError: its arrays are missing or do not fit.
    """
    try:
        if not has_decoder_graph(bundle.decoder):
            from captioning.inference.keras_decoder import KerasDecoder

            return KerasDecoder(keras_decoder_of(bundle))
        return open_decoder(
            bundle.decoder,
            WeightsFile(bundle.folder / "decoder.safetensors", bundle.decoder_arrays),
            vocabulary_size=len(bundle.vocabulary),
            feature_shape=bundle.feature_shape,
        )
    except ConfigError as error:
        raise BundleError(f"{bundle.folder / 'config.json'}: {error}") from error


def keras_decoder_of(bundle: Bundle) -> "Decoder":
    """Build a bundle's decoder as a Keras network with its weights; imports Keras.

    Raises:
        BundleError: its arrays are missing or do not fit.
    """
    from captioning.arrays import assign_weights
    from captioning.decoders import build_decoder

    decoder = build_decoder(
        bundle.decoder,
        vocabulary_size=len(bundle.vocabulary),
        feature_shape=bundle.feature_shape,
    )
    source = str(bundle.folder / "decoder.safetensors")
    assign_weights(decoder, bundle.decoder_arrays(), source=source)
    return decoder


def encoder_of(bundle: Bundle) -> PhotoEncoder:
    """Load a bundle's encoder; imports Keras only for an encoder that has no ONNX graph.

    Raises:
        BundleError: its arrays are missing, or its features do not fit the decoder.
        WeightsError: its ImageNet weights cannot be found or downloaded.
    """
    file = bundle.encoder_file()
    try:
        if file is None and resolve(bundle.encoder)[1].in_bundle:
            raise BundleError(f"{_encoder_source(bundle)} is missing; copy the whole folder again.")
        encoder = open_encoder(
            bundle.encoder,
            None if file is None else WeightsFile(file, lambda: bundle.encoder_arrays() or {}),
        )
    except ConfigError as error:
        raise BundleError(f"{bundle.folder / 'config.json'}: {error}") from error
    if encoder.feature_shape != bundle.feature_shape:
        raise BundleError(
            f"{bundle.folder / 'config.json'}: the decoder expects features of shape "
            f"{bundle.feature_shape}, but {encoder.config.name} gives {encoder.feature_shape}."
        )
    return encoder


def keras_encoder_of(bundle: Bundle) -> "Encoder":
    """Load a bundle's encoder as a Keras network; imports Keras.

    Raises:
        BundleError: its arrays are damaged.
        WeightsError: its ImageNet weights cannot be found or downloaded.
    """
    from captioning.encoders import load_encoder

    source = _encoder_source(bundle)
    return load_encoder(bundle.encoder, arrays=bundle.encoder_arrays(), source=source)


def _encoder_source(bundle: Bundle) -> str:
    return f"{bundle.encoder_from or bundle.folder}: encoder.safetensors"
