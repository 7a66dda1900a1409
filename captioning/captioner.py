"""From a photo to a caption: one model, loaded and ready."""

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from captioning.arrays import assign_weights
from captioning.bundles import Bundle, read_bundle
from captioning.config import DecodingConfig
from captioning.decoders import Decoder, build_decoder
from captioning.decoding import CaptionSearch, Hypothesis
from captioning.encoders import Encoder, load_encoder
from captioning.errors import BundleError

__all__ = ["Alternative", "Caption", "Captioner", "Word"]


@dataclass(frozen=True)
class Word:
    """One word of a caption and the natural logarithm of its probability."""

    word: str
    log_prob: float


@dataclass(frozen=True)
class Alternative:
    """Another sentence the search ended with, and its log-probability."""

    caption: str
    log_prob: float


@dataclass(frozen=True)
class Caption:
    """A sentence about a photo.

    Attributes:
        text: the sentence.
        log_prob: natural logarithm of its probability, the product of its words'.
        words: its words with their probabilities, given the photo and the words before.
        alternatives: the other sentences the search ended with, the best first.
        model: the name of the bundle that wrote it.
        seconds: from the decoded photo to the sentence.
        decoding: how it was chosen.
    """

    text: str
    log_prob: float
    words: tuple[Word, ...]
    alternatives: tuple[Alternative, ...]
    model: str
    seconds: float
    decoding: DecodingConfig

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as the command line prints it; the sentence stands under `caption`."""
        content = asdict(self)
        return {"caption": content.pop("text"), **content}


class Captioner:
    """A model that captions photos.  Several threads may share one; they take turns.

    Args:
        bundle: the model on disk.
        decoder: writes the sentences; its weights are in place.
    """

    def __init__(self, bundle: Bundle, decoder: Decoder) -> None:
        self.bundle = bundle
        self.decoder = decoder
        # One photo always has the same shape, so XLA's compilation pays for itself.
        self._search_one = CaptionSearch(decoder, xla=True)
        self._search_many = CaptionSearch(decoder)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str | Path, *, with_encoder: bool = True) -> "Captioner":
        """Load a bundle by name or folder, with its encoder.

        Args:
            name: a shipped or self-made bundle's name, or a folder.
            with_encoder: load the encoder at once; without it, on the first photo.  A caller that
                has features already never needs it, nor its ImageNet weights.

        Raises:
            BundleError: the bundle is missing, damaged, or of another version.
            WeightsError: its encoder's ImageNet weights are nowhere to be had.
        """
        bundle = read_bundle(name)
        decoder = build_decoder(
            bundle.decoder,
            vocabulary_size=len(bundle.vocabulary),
            feature_shape=bundle.feature_shape,
        )
        source = str(bundle.folder / "decoder.safetensors")
        assign_weights(decoder, bundle.decoder_arrays(), source=source)
        captioner = cls(bundle, decoder)
        if with_encoder:
            _ = captioner.encoder
        return captioner

    @cached_property
    def encoder(self) -> Encoder:
        """What reads the photos.

        Raises:
            WeightsError: its ImageNet weights are nowhere to be had.
            BundleError: it does not fit the decoder.
        """
        bundle = self.bundle
        encoder = load_encoder(bundle.encoder, arrays=bundle.encoder_arrays())
        if encoder.feature_shape != bundle.feature_shape:
            raise BundleError(
                f"{bundle.folder / 'config.json'}: the decoder expects features of shape "
                f"{bundle.feature_shape}, but {encoder.config.name} gives {encoder.feature_shape}."
            )
        return encoder

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.name

    def caption(self, photo: Image.Image, decoding: DecodingConfig | None = None) -> Caption:
        """Write a sentence about an RGB photo of any size.

        Args:
            photo: as `captioning.images.read_image` returns it.
            decoding: how to choose the sentence; by default as the bundle says.
        """
        begun = time.perf_counter()
        with self._lock:
            pixels = self.encoder.pixels(photo)
            features = self.encoder.encode(pixels[None])
            return self.describe(features, decoding, begun=begun)[0]

    def describe(
        self,
        features: np.ndarray,
        decoding: DecodingConfig | None = None,
        *,
        begun: float | None = None,
    ) -> list[Caption]:
        """Write sentences about photos that are encoded already.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            decoding: how to choose; by default as the bundle says.
            begun: `time.perf_counter()` at which the work began, if before this call.
        """
        decoding = decoding or self.bundle.decoding
        begun = time.perf_counter() if begun is None else begun
        search = self._search_one if len(features) == 1 else self._search_many
        found = search.search(features, decoding)
        seconds = (time.perf_counter() - begun) / max(len(features), 1)
        return [self._caption(hypotheses, decoding, seconds) for hypotheses in found]

    def warm_up(self) -> None:
        """Compile what captioning one photo needs, so that the first one does not wait for it."""
        size = int(self.encoder.config.input_size or 0)
        self.caption(Image.new("RGB", (size, size)))

    def _caption(
        self, hypotheses: Sequence[Hypothesis], decoding: DecodingConfig, seconds: float
    ) -> Caption:
        best, *others = hypotheses
        words = self.bundle.vocabulary.words
        return Caption(
            text=self._text(best),
            log_prob=best.log_prob,
            words=tuple(
                Word(words[i], log_prob)
                for i, log_prob in zip(best.ids, best.log_probs, strict=True)
            ),
            alternatives=tuple(Alternative(self._text(h), h.log_prob) for h in others),
            model=self.name,
            seconds=seconds,
            decoding=decoding,
        )

    def _text(self, hypothesis: Hypothesis) -> str:
        return self.bundle.vocabulary.decode(hypothesis.ids)
