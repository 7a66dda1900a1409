"""Caption photos with one loaded model."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

import numpy as np
from PIL import Image

from captioning.bundle import Bundle
from captioning.calibration import Calibration, Familiarity, Judgement, Observation
from captioning.calibration.picture_kind import Kind, kind_of
from captioning.caption import Alternative, Caption, Word
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
from captioning.encoders import PhotoEncoder
from captioning.errors import BundleError, FeaturesError, ImageError, QueryError, quoted
from captioning.fair_lock import FairLock
from captioning.features import FeatureStore, store_folder
from captioning.images import read_image
from captioning.networks import LoadedBundle
from captioning.people_words import gender_certainties, neutral_words
from captioning.photo_input import PhotoInput, to_picture
from captioning.prefetch import ahead
from captioning.text import tokenize
from captioning.uncertain_details import remaining


class Captioner(LoadedBundle):
    """A model that captions photos.  Several threads may share it; they take turns.

    Args:
        bundle: the model on disk.
        decoder: writes the sentences; has its weights.
        encoder: reads the photos; by default the bundle's, loaded when it is first needed.
    """

    def __init__(
        self, bundle: Bundle, decoder: StepModel, encoder: PhotoEncoder | None = None
    ) -> None:
        super().__init__(bundle, decoder, encoder)
        self._search = CaptionSearch(decoder, vocabulary=bundle.vocabulary)
        self.turns = FairLock()

    @cached_property
    def calibration(self) -> Calibration | None:
        """The model's calibration; None if it was never calibrated.

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
            decoding: how to search; by default the bundle's settings.
            on_wait: called with the number of callers that are served before this one.

        Raises:
            ImageError: `photo` is something else, or cannot be read.
            ConfigError: `decoding` requires a word that the model does not know, or too many.
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
        """Write a sentence about each photo of an iterable, in its order.

        Args:
            photos: in the forms that `caption` takes; at most `batch` of them are read ahead.
            decoding: how to search; by default the bundle's settings.
            batch: number of photos that are read, encoded and described together.

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
        """Encode RGB photos; all other methods work on these features.

        Returns:
            float32 `(B, R, D)` or `(B, D)`.
        """
        return self.encode_squares(np.stack([self.encoder.pixels(p) for p in photos]), on_wait)

    def encode_squares(
        self, pixels: np.ndarray, on_wait: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Encode photos that already have the encoder's input size, uint8 `(B, S, S, 3)`."""
        with self.turns.take(on_wait):
            return self.encoder.encode(pixels)

    def describe(
        self, features: np.ndarray, decoding: DecodingConfig | None = None
    ) -> list[Caption]:
        """Write sentences about encoded photos.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            decoding: how to search; by default the bundle's settings.

        Raises:
            FeaturesError: the features have another shape than the encoder's.
            ConfigError: `decoding` requires a word that the model does not know, or too many.
        """
        begun = time.perf_counter()
        trace = self.trace(features, decoding)
        seconds = (time.perf_counter() - begun) / max(len(features), 1)
        return self.with_neutral_words(self.rank(trace, decoding, seconds=seconds), features)

    def look(
        self, dataset: CaptionDataset, photos: Sequence[Photo], *, batch: int = 25
    ) -> Iterator[np.ndarray]:
        """Yield features of a data set's photos, from the feature store if there is one.

        Raises:
            ImageError: there is no store and a photo cannot be read.
            FeaturesError: the store lacks a photo, since it could not be read.
            WeightsError: there is no store and the encoder's weights cannot be downloaded.
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

    def stored_features(self, dataset: CaptionDataset) -> FeatureStore | None:
        """Return the complete store of a data set's features by this model's encoder, if any."""
        arrays = self.bundle.encoder_arrays()
        try:
            return FeatureStore(store_folder(self.bundle.encoder, dataset, arrays=arrays))
        except FeaturesError:
            return None

    def trace(self, features: np.ndarray, decoding: DecodingConfig | None = None) -> Trace:
        """Search for sentences and return all beams kept; `rank` reads the sentences from them.

        Raises:
            FeaturesError: the features have another shape than the encoder's.
            ConfigError: `decoding` requires a word that the model does not know, or too many.
        """
        with self.turns.take():
            return self._trace(features, decoding)

    def rank(
        self, trace: Trace, decoding: DecodingConfig | None = None, *, seconds: float = 0.0
    ) -> list[Caption]:
        """Read the best sentence of each photo from a search; only its confidence runs the model.

        Args:
            trace: what `trace` returned.
            decoding: its `length_penalty` decides which sentence is the best.
            seconds: duration of the search per photo.

        Raises:
            BundleError: the weights are damaged, so that no word has a probability.
        """
        decoding = decoding or self.bundle.decoding
        found = read_hypotheses(trace, length_penalty=decoding.length_penalty)
        if not all(found):
            raise BundleError(
                f"{self.bundle.folder}: the weights give no sentence; copy the whole folder again."
            )
        judgements = self._judge([best for best, *_ in found], trace)
        return [
            self._caption(hypotheses, decoding, seconds, judgement)
            for hypotheses, judgement in zip(found, judgements, strict=True)
        ]

    def with_neutral_words(
        self, captions: Sequence[Caption], features: np.ndarray
    ) -> list[Caption]:
        """Fill in `neutral` where the model is not certain of a detail or of a person's gender.

        Args:
            captions: one a photo; `detail_certainty` and `gender_certainty` of their `decoding`
                count.
            features: of the same photos, `(B, R, D)` or `(B, D)`.
        """
        return [
            replace(caption, neutral=self._neutral(caption, features[row : row + 1]))
            for row, caption in enumerate(captions)
        ]

    def observe(
        self, features: np.ndarray, familiarity: Familiarity
    ) -> list[tuple[str, Observation]]:
        """Caption each photo, and return what its confidence is computed from.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            familiarity: how much photos resemble the training photos.
        """
        found = read_hypotheses(
            self.trace(features), length_penalty=self.bundle.decoding.length_penalty
        )
        best = [hypotheses[0] for hypotheses in found]
        about = familiarity.strangeness(features), familiarity.scene(features)
        observed = self._observations(best, *about, self.blank_features)
        return [(self._text(h), seen) for h, seen in zip(best, observed, strict=True)]

    def read(self, features: np.ndarray, sentence: str) -> Reading:
        """Read a given sentence with each photo: the probability and attention of each word.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            sentence: with any capital letters and punctuation.

        Raises:
            QueryError: the model does not know a word of it, or it is longer than the model's
                sentences.
        """
        words, longest = tokenize(sentence), self.bundle.decoder.max_length
        unknown = [word for word in words if word not in self.bundle.vocabulary]
        if unknown:
            raise QueryError(f"The model does not know the word {quoted(unknown[0])}.")
        if len(words) > longest:
            raise QueryError(
                f"The sentence has {len(words)} words; the model reads at most {longest}."
            )
        ids = tuple(self.bundle.vocabulary.id(word) for word in words)
        with self.turns.take():
            return read_sentence(self.decoder, features, ids)

    def likelihoods(self, features: np.ndarray, sentences: Sequence[str]) -> np.ndarray:
        """Return the log-probability of each word of each sentence with each photo.

        Takes any sentence: an unknown word counts as 0, and a sentence that is too long is cut.

        Args:
            features: of B photos, `(B, R, D)` or `(B, D)`.
            sentences: N of them, with any capital letters and punctuation.

        Returns:
            Natural logarithms, float32 `(B, N, T)`: of each word, then of the end, then 0.
        """
        ids = [self.bundle.vocabulary.encode(sentence) for sentence in sentences]
        with self.turns.take():
            return sentence_likelihoods(self.decoder, features, ids)

    @cached_property
    def blank_features(self) -> np.ndarray:
        """Features of a uniformly grey photo, `(1, R, D)` or `(1, D)`."""
        size = int(self.encoder.config.input_size or 0)
        return self.encode_squares(np.full((1, size, size, 3), 127, np.uint8))

    def _kind(self, picture: Image.Image) -> Kind | None:
        return kind_of(picture) if self.bundle.learned_from_photos else None

    def _trace(self, features: np.ndarray, decoding: DecodingConfig | None) -> Trace:
        if features.shape[1:] != (shape := self.bundle.feature_shape):
            raise FeaturesError(
                f"The model {self.name} reads features of the shape "
                f"({', '.join(map(str, ('photos', *shape)))}), not {features.shape}."
            )
        trace = self._search.trace(features, decoding or self.bundle.decoding)
        if self.calibration is None:
            return trace
        known = self.calibration.familiarity
        return replace(trace, strangeness=known.strangeness(features), scene=known.scene(features))

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

    def _judge(self, best: Sequence[Hypothesis], trace: Trace) -> Sequence[Judgement | None]:
        if self.calibration is None or trace.strangeness is None or trace.scene is None:
            return [None] * len(best)
        observed = self._observations(best, trace.strangeness, trace.scene, self.calibration.blank)
        return [self.calibration.judge(seen) for seen in observed]

    def _observations(
        self,
        found: Sequence[Hypothesis],
        strangeness: np.ndarray,
        scenes: np.ndarray,
        blank: np.ndarray | None,
    ) -> list[Observation]:
        """Describe captions for calibration; `blank` are the features of a grey photo."""
        blind: list[np.ndarray | None] = [None] * len(found)
        if blank is not None:
            blind = list(self.likelihoods(blank, [self._text(h) for h in found])[0])
        return [
            Observation(
                log_probs=np.asarray(h.log_probs),
                strangeness=float(strange),
                distinct=len(set(h.ids)) / max(len(h.ids), 1),
                blind=None if unseen is None else unseen[: len(h.ids)],
                scene=scene,
            )
            for h, strange, scene, unseen in zip(found, strangeness, scenes, blind, strict=True)
        ]

    def _neutral(self, caption: Caption, features: np.ndarray) -> str | None:
        def log_probs(ids: list[int]) -> np.ndarray:
            with self.turns.take():
                return np.asarray(read_sentence(self.decoder, features, ids).log_probs[0])

        words, kept = [word.word for word in caption.words], caption.certain_places
        sure = gender_certainties(words, caption.decoding, self.bundle.vocabulary, log_probs)
        if len(kept) == len(words) and not any(share is not None for share in sure):
            return None
        at_least = caption.decoding.gender_certainty
        rest = remaining(words, kept)
        shares = [None] * (len(rest) - len(kept)) + [sure[i] for i in kept]
        written = neutral_words(rest, shares, at_least)
        return None if written == caption.text else written

    def _text(self, hypothesis: Hypothesis) -> str:
        return self.bundle.vocabulary.decode(hypothesis.ids)
