"""The encoder and decoder of a bundle, ready to run: as ONNX graphs, or in Keras without one."""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

from captioning.bundle import Bundle, read_bundle
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


class LoadedBundle:
    """A bundle with its networks; each is loaded once, also when several threads need it.

    Args:
        bundle: the model on disk.
        decoder: writes the sentences; has its weights.
        encoder: reads the photos; by default the bundle's, loaded when it is first needed.
    """

    def __init__(
        self, bundle: Bundle, decoder: StepModel, encoder: PhotoEncoder | None = None
    ) -> None:
        self.bundle = bundle
        self.decoder = decoder
        self._encoder = encoder
        self._keras_decoder: Decoder | None = None
        self._keras_encoder: Encoder | None = None
        self._loading = Lock()

    @classmethod
    def load(cls, name: str | Path, *, with_encoder: bool = True) -> Self:
        """Load a bundle by name or folder, with its encoder.

        Args:
            name: the name of a model that is shipped or trained here, or a folder.
            with_encoder: whether to load the encoder at once and not on the first photo.  A caller
                that has features needs neither the encoder nor its ImageNet weights.

        Raises:
            BundleError: the bundle is missing, damaged, or of another version.
            WeightsError: its encoder's ImageNet weights cannot be found or downloaded.
        """
        bundle = read_bundle(name)
        bundle.check_room()
        loaded = cls(bundle, decoder_of(bundle))
        if with_encoder:
            _ = loaded.encoder
        return loaded

    @property
    def encoder(self) -> PhotoEncoder:
        """The network that reads the photos; several threads that need it load it once.

        Raises:
            WeightsError: its ImageNet weights cannot be found or downloaded.
            BundleError: it does not fit the decoder.
        """
        with self._loading:  # `cached_property` has had no lock since Python 3.12
            if self._encoder is None:
                self._encoder = encoder_of(self.bundle)
            return self._encoder

    @property
    def keras_decoder(self) -> "Decoder":
        """The decoder as a Keras network, for inspection; imports Keras."""
        from captioning.inference.keras_decoder import KerasDecoder

        if isinstance(self.decoder, KerasDecoder):
            return self.decoder.network
        with self._loading:
            if self._keras_decoder is None:
                self._keras_decoder = keras_decoder_of(self.bundle)
            return self._keras_decoder

    @property
    def keras_encoder(self) -> "Encoder":
        """The encoder as a Keras network, for inspection; imports Keras.

        Raises:
            WeightsError: its ImageNet weights cannot be found or downloaded.
        """
        from captioning.encoders import Encoder

        encoder = self.encoder
        if isinstance(encoder, Encoder):
            return encoder
        with self._loading:
            if self._keras_encoder is None:
                self._keras_encoder = keras_encoder_of(self.bundle)
            return self._keras_encoder

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.name


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
