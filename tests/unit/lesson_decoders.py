"""Tiny decoders of all three kinds for the lessons' tests, in Keras and in NumPy."""

import numpy as np

from captioning.arrays import weights_of
from captioning.backend import to_numpy
from captioning.config import DecoderConfig
from captioning.decoders import build_decoder
from captioning.lessons.numpy_decoder import PlainDecoder
from captioning.vocabulary import EOS

KINDS = ("merge", "inject", "attention")
R, D, E, U, V, LENGTH = 6, 5, 8, 16, 20, 9
GRID = (2, 3)


def make(kind, *, shape=(R, D), seed=3, heads=2, cell="lstm"):
    """A decoder whose weights are far from zero, so that everything matters."""
    config = DecoderConfig(
        kind=kind,
        cell=cell,
        embedding_size=E,
        units=U,
        heads=heads,
        dropout=0.0,
        max_length=LENGTH,
    )
    decoder = build_decoder(config, vocabulary_size=V, feature_shape=shape)
    random = np.random.default_rng(seed)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.7, variable.shape))
    decoder.scaling.adapt(
        random.normal(0, 1, D).astype(np.float32), random.uniform(0.5, 2, D).astype(np.float32)
    )
    bias = to_numpy(decoder.vocabulary.bias).copy()
    bias[EOS] = 1.5  # so that sentences end at different lengths
    decoder.vocabulary.bias.assign(bias)
    return decoder


def plain(decoder):
    return PlainDecoder(decoder.config, weights_of(decoder))


def photos(count=3, *, shape=(R, D), seed=1):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)
