"""Models that a run learns from beside the true captions.

A true caption says one word at each place; a trained model says which others would have done as
well.  Learning from the averaged answers of several brings most of what they know together into one
model, which is no slower than any of them (Hinton et al. 2015, "Distilling the Knowledge in a
Neural Network", https://arxiv.org/abs/1503.02531).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.bundle import Bundle, read_bundle
from captioning.captioner import keras_decoder_of
from captioning.decoders import Decoder
from captioning.features import fitted
from captioning.training.batches import Batch, PhotoSource
from captioning.training.sources import StoredFeatures, stored_rows
from captioning.vocabulary import UNK, Vocabulary

__all__ = ["Teachers", "load_teachers"]


@dataclass(frozen=True)
class Teacher:
    """One trained model that reads whole photos.

    Attributes:
        photos: gives its features of training photos, by index.
        expect: from features, tokens and places to probabilities `(M, words it knows)`.
        reads: its own id of each word of the student's vocabulary, int32 `(V,)`.
        knows: which words of the student's vocabulary it knows, bool `(V,)`.
    """

    photos: PhotoSource
    expect: Callable[..., Any]
    reads: np.ndarray
    knows: np.ndarray

    def probabilities(self, indices: np.ndarray, batch: Batch) -> np.ndarray:
        """Return what it expects at a batch's places, float32 `(M, V)` over the student's words.

        What it expects of words that the student does not know is expected of UNK.
        """
        features = self.photos(indices)
        own = to_numpy(self.expect(features, self.reads[batch.tokens], batch.places))
        found = own[:, self.reads] * self.knows
        found[:, UNK] = 0.0
        found[:, UNK] = np.maximum(0.0, 1.0 - found.sum(axis=1))
        return np.asarray(found, np.float32)


class Teachers:
    """Teachers whose answers are averaged; without any, a batch stays as it is.

    They look at whole photos, also where the student is shown a crop or a mirror image of one: so
    the features of photos as they are suffice.
    """

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self._teachers = teachers

    def taught(self, indices: np.ndarray, batch: Batch) -> Batch:
        """Add to a batch what the teachers expect there.

        Args:
            indices: which training photos it is made of, int64 `(B,)`.
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
    """Load bundles as teachers; photos are encoded first where that was never done.

    Args:
        names: the bundles' names or folders.
        vocabulary: the student's.
        photos: names of the training photos of each data set, in the order of their indices.
        get: opens feature stores.

    Raises:
        BundleError: a bundle is missing or damaged.
        FeaturesError: features cannot be had.
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
