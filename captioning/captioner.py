"""From a photo to a caption: one model, loaded and ready."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from captioning.bundle import Bundle, read_bundle
from captioning.calibration import Calibration, Familiarity, Judgement, Level, Observation
from captioning.calibration.picture_kind import Kind, kind_of
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.decoding import (
    CaptionSearch,
    Hypothesis,
    Reading,
    StepModel,
    Trace,
    read_hypotheses,
    read_sentence,
    sentence_likelihoods,
)
from captioning.encoders import PhotoEncoder, resolve
from captioning.errors import BundleError, ConfigError, FeaturesError, ImageError, QueryError
from captioning.fair_lock import FairLock
from captioning.features import FeatureStore, pooled, store_folder
from captioning.images import read_image
from captioning.inference.loading import (
    WeightsFile,
    has_decoder_graph,
    has_encoder_graph,
    open_decoder,
    open_encoder,
)
from captioning.people_words import GENDERED, certainties, neutral_words
from captioning.photo_input import PhotoInput, to_picture
from captioning.prefetch import ahead
from captioning.text import sentence, tokenize

if TYPE_CHECKING:
    from captioning.decoders import Decoder
    from captioning.encoders import Encoder

__all__ = ["Alternative", "Caption", "Captioner", "Word", "keras_decoder_of"]


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
        text: the sentence as the model writes it: words in lower case, no punctuation.
        log_prob: natural logarithm of its probability, the product of its words'.
        words: its words with their probabilities, given the photo and the words before.
        alternatives: the other sentences the search ended with, the best first.
        model: the name of the bundle that wrote it.
        seconds: from the decoded photo to the sentence.
        decoding: how it was chosen.
        confidence: from 0 to 1, the share of good sentences among those of which the model was so
            sure, on the dev photos; None if the model was never calibrated.
        familiar: whether the photo is like those of training; None likewise.
        level: "sure", "fairly sure" or "not sure"; None likewise.
        kind: what the picture looks like, "photo" or one of the other `picture_kind.KINDS`; None
            if only its features are known, or if the model did not learn from photos.
        neutral: `text` with "person", "people" or "child" where the model is less certain than
            `decoding.gender_certainty` of a gender; None if nothing is replaced.
    """

    text: str
    log_prob: float
    words: tuple[Word, ...]
    alternatives: tuple[Alternative, ...]
    model: str
    seconds: float
    decoding: DecodingConfig
    confidence: float | None = None
    familiar: bool | None = None
    level: Level | None = None
    kind: Kind | None = None
    neutral: str | None = None

    @property
    def sentence(self) -> str:
        """The caption as people write it: neutral words, a capital letter and a full stop."""
        return sentence(self.text if self.neutral is None else self.neutral)

    @property
    def doubtful(self) -> bool:
        """Whether the caption needs a warning wherever it goes."""
        return self.level == "not sure" or self.kind not in (None, "photo")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as the command line prints it; the sentence stands under `caption`."""
        content = asdict(self)
        lists = {name: list(content[name]) for name in ("words", "alternatives")}
        decoding = self.decoding.to_dict()
        return {"caption": content.pop("text"), **content, **lists, "decoding": decoding}


class Captioner:
    """A model that captions photos.  Several threads may share one; they take turns.

    Args:
        bundle: the model on disk.
        decoder: writes the sentences; its weights are in place.
        encoder: reads the photos; by default the bundle's, loaded when it is first needed.
    """

    def __init__(
        self, bundle: Bundle, decoder: StepModel, encoder: PhotoEncoder | None = None
    ) -> None:
        self.bundle = bundle
        self.decoder = decoder
        self._search = CaptionSearch(decoder, vocabulary=bundle.vocabulary)
        self.turns = FairLock()
        self._encoder = encoder
        self._keras_decoder: Decoder | None = None
        self._keras_encoder: Encoder | None = None
        self._loading = Lock()

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
        bundle.check_room()
        captioner = cls(bundle, _decoder_of(bundle))
        if with_encoder:
            _ = captioner.encoder
        return captioner

    @property
    def encoder(self) -> PhotoEncoder:
        """What reads the photos; loaded once, however many threads ask at the same time.

        Raises:
            WeightsError: its ImageNet weights cannot be found or downloaded.
            BundleError: it does not fit the decoder.
        """
        with self._loading:  # `cached_property` has had no lock since Python 3.12
            if self._encoder is None:
                self._encoder = _encoder_of(self.bundle)
            return self._encoder

    @property
    def keras_decoder(self) -> "Decoder":
        """The decoder as a Keras network, for looking inside; imports Keras."""
        from captioning.inference.keras_decoder import KerasDecoder

        if isinstance(self.decoder, KerasDecoder):
            return self.decoder.network
        with self._loading:
            if self._keras_decoder is None:
                self._keras_decoder = keras_decoder_of(self.bundle)
            return self._keras_decoder

    @property
    def keras_encoder(self) -> "Encoder":
        """The encoder run by Keras, for looking inside; imports Keras.

        Raises:
            WeightsError: its ImageNet weights cannot be found or downloaded.
        """
        from captioning.encoders import Encoder

        encoder = self.encoder
        if isinstance(encoder, Encoder):
            return encoder
        with self._loading:
            if self._keras_encoder is None:
                self._keras_encoder = _keras_encoder_of(self.bundle)
            return self._keras_encoder

    @cached_property
    def calibration(self) -> Calibration | None:
        """What the model knows of itself, if it was calibrated.

        Raises:
            BundleError: it does not fit the model.
        """
        calibration, channels = self.bundle.calibration(), self.bundle.feature_shape[-1]
        if calibration is not None and len(calibration.familiarity.mean) != channels:
            raise BundleError(
                f"{self.bundle.folder / 'calibration.safetensors'}: expected {channels} channels, "
                f"found {len(calibration.familiarity.mean)}."
            )
        return calibration

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.name

    def caption(
        self,
        photo: PhotoInput,
        decoding: DecodingConfig | None = None,
        *,
        on_wait: Callable[[int], None] | None = None,
    ) -> Caption:
        """Write a sentence about a photo of any size.

        Args:
            photo: a path, bytes, a binary file, a PIL image of any mode, or an array `(H, W)`,
                `(H, W, 3)` or `(H, W, 4)`, uint8 or float from 0 to 1.
            decoding: how to choose the sentence; by default as the bundle says.
            on_wait: told how many callers are served before this one.

        Raises:
            ImageError: `photo` is something else, or cannot be read.
            ConfigError: `decoding` asks for a word the model does not know, or for too many.
        """
        begun = time.perf_counter()
        picture = to_picture(photo)
        pixels, kind = self.encoder.pixels(picture), self._kind(picture)
        with self.turns.take(on_wait):
            features = self.encoder.encode(pixels[None])
            trace = self._trace(features, decoding)
        captions = self.rank(trace, decoding, seconds=time.perf_counter() - begun)
        return replace(self.with_neutral_words(captions, features)[0], kind=kind)

    def caption_many(
        self,
        photos: Iterable[PhotoInput],
        decoding: DecodingConfig | None = None,
        *,
        batch: int = 16,
    ) -> Iterator[Caption]:
        """Write a sentence about each photo of a stream, in its order.

        Args:
            photos: in the forms that `caption` takes; at most `batch` of them are read ahead.
            decoding: how to choose the sentences; by default as the bundle says.
            batch: photos that are read, encoded and described together.

        Raises:
            ImageError: a photo cannot be read; those before it have been captioned.
            ConfigError: as for `caption`.
        """
        stream = iter(photos)
        while some := list(islice(stream, batch)):
            pixels, kinds, fault = [], [], None
            for photo in some:
                try:
                    picture = to_picture(photo)
                    pixels.append(self.encoder.pixels(picture))
                    kinds.append(self._kind(picture))
                except ImageError as error:
                    fault = error
                    break
            if pixels:
                captions = self.describe(self.encode_squares(np.stack(pixels)), decoding)
                for caption, kind in zip(captions, kinds, strict=True):
                    yield replace(caption, kind=kind)
            if fault is not None:
                raise fault

    def encode(
        self, photos: Sequence[Image.Image], *, on_wait: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Look at RGB photos once; everything else works from what this returns.

        Returns:
            Features, float32 `(B, R, D)` or `(B, D)`.
        """
        return self.encode_squares(np.stack([self.encoder.pixels(p) for p in photos]), on_wait)

    def encode_squares(
        self, pixels: np.ndarray, on_wait: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Look at photos that are squares of the encoder's size already, uint8 `(B, S, S, 3)`."""
        with self.turns.take(on_wait):
            return self.encoder.encode(pixels)

    def describe(
        self, features: np.ndarray, decoding: DecodingConfig | None = None
    ) -> list[Caption]:
        """Write sentences about photos that are encoded already.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            decoding: how to choose; by default as the bundle says.

        Raises:
            ConfigError: `decoding` asks for a word the model does not know, or for too many.
        """
        begun = time.perf_counter()
        trace = self.trace(features, decoding)
        seconds = (time.perf_counter() - begun) / max(len(features), 1)
        return self.with_neutral_words(self.rank(trace, decoding, seconds=seconds), features)

    def look(
        self, dataset: CaptionDataset, photos: Sequence[Photo], *, batch: int = 25
    ) -> Iterator[np.ndarray]:
        """Yield features of a data set's photos: from its store if there is one, else computed.

        Raises:
            ImageError: there is no store and a photo cannot be read.
            FeaturesError: the store has none of a photo, since it could not be read.
            WeightsError: there is no store and the encoder's weights cannot be had.
        """
        starts = range(0, len(photos), batch)
        store = self.stored_features(dataset)
        if store is not None:
            for start in starts:
                yield store.of([photo.name for photo in photos[start : start + batch]])
            return

        def pixels(start: int) -> np.ndarray:
            some = photos[start : start + batch]
            return np.stack([self.encoder.pixels(read_image(dataset.path(p))) for p in some])

        for squares in ahead(pixels, starts):
            yield self.encode_squares(squares)

    def look_pooled(
        self,
        dataset: CaptionDataset,
        photos: Sequence[Photo],
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """Return one vector of length 1 for each photo, float32 `(N, D)`; raises as `look`."""
        vectors: list[np.ndarray] = []
        for features in self.look(dataset, photos, batch=100):
            vectors.extend(pooled(features))
            on_progress(len(vectors), len(photos))
        return np.array(vectors)

    def stored_features(self, dataset: CaptionDataset) -> FeatureStore | None:
        """Return the finished store of a data set's features by this model's encoder, if any."""
        arrays = self.bundle.encoder_arrays()
        try:
            return FeatureStore(store_folder(self.bundle.encoder, dataset, arrays=arrays))
        except FeaturesError:
            return None

    def trace(self, features: np.ndarray, decoding: DecodingConfig | None = None) -> Trace:
        """Search for sentences and return every beam kept; `rank` reads the sentences from it.

        Raises:
            ConfigError: `decoding` asks for a word the model does not know, or for too many.
        """
        with self.turns.take():
            return self._trace(features, decoding)

    def rank(
        self, trace: Trace, decoding: DecodingConfig | None = None, *, seconds: float = 0.0
    ) -> list[Caption]:
        """Read the sentences of a search, one `Caption` a photo; only confidence asks the model.

        Args:
            trace: what `trace` returned.
            decoding: its `length_penalty` says which sentence is the best.
            seconds: what the search took, for each photo.
        """
        decoding = decoding or self.bundle.decoding
        found = read_hypotheses(trace, length_penalty=decoding.length_penalty)
        judgements = self._judge([best for best, *_ in found], trace.strangeness)
        return [
            self._caption(hypotheses, decoding, seconds, judgement)
            for hypotheses, judgement in zip(found, judgements, strict=True)
        ]

    def with_neutral_words(
        self, captions: Sequence[Caption], features: np.ndarray
    ) -> list[Caption]:
        """Fill in `neutral` where the model is not certain of the gender of a person.

        Args:
            captions: one a photo; the `gender_certainty` of their `decoding` counts.
            features: of the same photos, `(B, R, D)` or `(B, D)`.
        """
        return [
            replace(caption, neutral=self._neutral(caption, features[row : row + 1]))
            for row, caption in enumerate(captions)
        ]

    def observe(
        self, features: np.ndarray, familiarity: Familiarity
    ) -> list[tuple[str, Observation]]:
        """Write a caption about each photo and return it with what its confidence is read from.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            familiarity: which photos are like those of training.
        """
        found = read_hypotheses(
            self.trace(features), length_penalty=self.bundle.decoding.length_penalty
        )
        best = [hypotheses[0] for hypotheses in found]
        strangeness = familiarity.strangeness(features)
        observed = self._observations(best, strangeness, self.blank_features)
        return [(self._text(h), seen) for h, seen in zip(best, observed, strict=True)]

    def read(self, features: np.ndarray, sentence: str) -> Reading:
        """Read a given sentence with each photo: how likely was each word, where was looked.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            sentence: in any spelling of case and punctuation.

        Raises:
            QueryError: the model does not know a word of it, or it is longer than the model's
                sentences.
        """
        words, longest = tokenize(sentence), self.bundle.decoder.max_length
        unknown = [word for word in words if word not in self.bundle.vocabulary]
        if unknown:
            raise QueryError(f"The model does not know the word {unknown[0]!r}.")
        if len(words) > longest:
            raise QueryError(
                f"The sentence has {len(words)} words; the model reads at most {longest}."
            )
        ids = tuple(self.bundle.vocabulary.id(word) for word in words)
        with self.turns.take():
            return read_sentence(self.decoder, features, ids)

    def likelihoods(self, features: np.ndarray, sentences: Sequence[str]) -> np.ndarray:
        """Tell how likely each word of each sentence is with each photo.

        Takes any sentence: an unknown word counts as 0, and what is too long is cut.

        Args:
            features: B photos', `(B, R, D)` or `(B, D)`.
            sentences: N of them, in any spelling of case and punctuation.

        Returns:
            Natural logarithms, float32 `(B, N, T)`: of each word, then of the end, then 0.
        """
        ids = [self.bundle.vocabulary.encode(sentence) for sentence in sentences]
        with self.turns.take():
            return sentence_likelihoods(self.decoder, features, ids)

    @cached_property
    def blank_features(self) -> np.ndarray:
        """Features of an evenly grey photo, `(1, R, D)` or `(1, D)`: what is known without one."""
        size = int(self.encoder.config.input_size or 0)
        return self.encode_squares(np.full((1, size, size, 3), 127, np.uint8))

    def _kind(self, picture: Image.Image) -> Kind | None:
        return kind_of(picture) if self.bundle.learned_from_photos else None

    def _trace(self, features: np.ndarray, decoding: DecodingConfig | None) -> Trace:
        trace = self._search.trace(features, decoding or self.bundle.decoding)
        if self.calibration is None:
            return trace
        return replace(trace, strangeness=self.calibration.familiarity.strangeness(features))

    def _caption(
        self,
        hypotheses: Sequence[Hypothesis],
        decoding: DecodingConfig,
        seconds: float,
        judgement: Judgement | None,
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
            **(judgement._asdict() if judgement else {}),
        )

    def _judge(
        self, best: Sequence[Hypothesis], strangeness: np.ndarray | None
    ) -> Sequence[Judgement | None]:
        if self.calibration is None or strangeness is None:
            return [None] * len(best)
        observed = self._observations(best, strangeness, self.calibration.blank)
        return [self.calibration.judge(seen) for seen in observed]

    def _observations(
        self, found: Sequence[Hypothesis], strangeness: np.ndarray, blank: np.ndarray | None
    ) -> list[Observation]:
        """Return what is known of each caption; with features of a blank photo, what they add."""
        blind: list[np.ndarray | None] = [None] * len(found)
        if blank is not None:
            blind = list(self.likelihoods(blank, [self._text(h) for h in found])[0])
        return [
            Observation(
                log_probs=np.asarray(h.log_probs),
                strangeness=float(strange),
                distinct=len(set(h.ids)) / max(len(h.ids), 1),
                blind=None if unseen is None else unseen[: len(h.ids)],
            )
            for h, strange, unseen in zip(found, strangeness, blind, strict=True)
        ]

    def _neutral(self, caption: Caption, features: np.ndarray) -> str | None:
        words, decoding = [word.word for word in caption.words], caption.decoding
        asked = {*tokenize(" ".join(decoding.prefix)), *decoding.required_words}
        if decoding.gender_certainty == 0 or not (GENDERED.keys() - asked) & set(words):
            return None
        vocabulary = self.bundle.vocabulary
        with self.turns.take():
            reading = read_sentence(self.decoder, features, [vocabulary.id(w) for w in words])
        certain = [
            None if word in asked else share
            for word, share in zip(
                words, certainties(words, reading.log_probs[0], vocabulary), strict=True
            )
        ]
        written = neutral_words(words, certain, decoding.gender_certainty)
        return None if written == caption.text else written

    def _text(self, hypothesis: Hypothesis) -> str:
        return self.bundle.vocabulary.decode(hypothesis.ids)


def _decoder_of(bundle: Bundle) -> StepModel:
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
    """Build a bundle's decoder as a Keras network, its weights in place; imports Keras.

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


def _encoder_of(bundle: Bundle) -> PhotoEncoder:
    file = bundle.encoder_file()
    try:
        if file is None and resolve(bundle.encoder)[1].in_bundle:
            raise BundleError(f"{_encoder_source(bundle)} is missing; copy the whole folder again.")
        encoder: PhotoEncoder
        if has_encoder_graph(bundle.encoder):
            encoder = open_encoder(
                bundle.encoder,
                None if file is None else WeightsFile(file, lambda: bundle.encoder_arrays() or {}),
            )
        else:
            encoder = _keras_encoder_of(bundle)
    except ConfigError as error:
        raise BundleError(f"{bundle.folder / 'config.json'}: {error}") from error
    if encoder.feature_shape != bundle.feature_shape:
        raise BundleError(
            f"{bundle.folder / 'config.json'}: the decoder expects features of shape "
            f"{bundle.feature_shape}, but {encoder.config.name} gives {encoder.feature_shape}."
        )
    return encoder


def _keras_encoder_of(bundle: Bundle) -> "Encoder":
    from captioning.encoders import load_encoder

    source = _encoder_source(bundle)
    return load_encoder(bundle.encoder, arrays=bundle.encoder_arrays(), source=source)


def _encoder_source(bundle: Bundle) -> str:
    return f"{bundle.encoder_from or bundle.folder}: encoder.safetensors"
