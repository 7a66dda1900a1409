"""Teachers: trained models that a run learns from in addition to the true captions.

A true caption has one word at each position; a trained model also gives probabilities to the
alternatives.  Learning from the averaged predictions of several teachers combines most of their
knowledge in one model of the usual size (Hinton et al. 2015, "Distilling the Knowledge in a Neural
Network", https://arxiv.org/abs/1503.02531).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.bundle import Bundle, read_bundle
from captioning.decoders import Decoder
from captioning.features import fitted
from captioning.networks import keras_decoder_of
from captioning.training.batches import Batch, PhotoSource, padded_indices
from captioning.training.sources import StoredFeatures, stored_rows
from captioning.vocabulary import UNK, Vocabulary


@dataclass(frozen=True)
class Teacher:
    """One trained model.

    Attributes:
        photos: returns its features of training photos, by index.
        expect: maps features, tokens and positions to probabilities `(M, known words)`.
        reads: the teacher's id of each word of the student's vocabulary, int32 `(V,)`.
        knows: which words of the student's vocabulary the teacher knows, bool `(V,)`.
    """

    photos: PhotoSource
    expect: Callable[..., Any]
    reads: np.ndarray
    knows: np.ndarray

    def probabilities(self, indices: np.ndarray, batch: Batch) -> np.ndarray:
        """Return its predictions for a batch, float32 `(M, V)` over the student's vocabulary.

        The probability of words that the student does not know goes to UNK.
        """
        features = self.photos(padded_indices(indices, len(batch.tokens)))
        own = to_numpy(self.expect(features, self.reads[batch.tokens], batch.places))
        found = own[:, self.reads] * self.knows
        found[:, UNK] = 0.0
        found[:, UNK] = np.maximum(0.0, 1.0 - found.sum(axis=1))
        return np.asarray(found, np.float32)


class Teachers:
    """An ensemble of teachers with averaged predictions; it may be empty.

    Teachers see whole photos even when the student sees a crop or a flipped photo, so they need
    only the features of the original photos.
    """

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self._teachers = teachers

    def taught(self, indices: np.ndarray, batch: Batch) -> Batch:
        """Add the teachers' predictions to a batch.

        Args:
            indices: of the batch's photos, int64 `(B,)`.
            batch: with true captions.
        """
        if not self._teachers:
            return batch
        answers = [teacher.probabilities(indices, batch) for teacher in self._teachers]
        return replace(batch, expected=np.mean(answers, axis=0))


def load_teachers(
    names: Sequence[str],
    vocabulary: Vocabulary,
    photos: Sequence[Sequence[str]],
    get: StoredFeatures,
) -> Teachers:
    """Load bundles as teachers, and encode photos that have no features yet.

    Args:
        names: names or folders of the bundles.
        vocabulary: of the student.
        photos: names of the training photos of each data set, in the order of their indices.
        get: opens feature stores.

    Raises:
        BundleError: a bundle is missing or damaged.
        FeaturesError: features cannot be read or computed.
    """
    bundles = [read_bundle(name) for name in names]
    return Teachers([_teacher(bundle, vocabulary, photos, get) for bundle in bundles])


def _teacher(
    bundle: Bundle, vocabulary: Vocabulary, photos: Sequence[Sequence[str]], get: StoredFeatures
) -> Teacher:
    stores = get(fitted(bundle.encoder, get.datasets[0]), bundle.encoder_arrays())
    decoder = keras_decoder_of(bundle)
    reads = np.array([bundle.vocabulary.id(word) for word in vocabulary.words], np.int32)
    return Teacher(
        stored_rows([stores], photos),
        compiled(partial(_expectations, decoder), decoder),
        reads,
        knows=np.array([word in bundle.vocabulary for word in vocabulary.words]),
    )


def _expectations(decoder: Decoder, features: Any, tokens: Any, places: Any) -> Any:
    answers, _, _ = decoder.read(decoder.remember(features), tokens)
    flat = ops.reshape(answers, (-1, answers.shape[-1]))
    return ops.softmax(decoder.logits(ops.take(flat, places, axis=0)), axis=-1)
