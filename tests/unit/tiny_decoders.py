"""Tiny decoders with random weights, run by their graphs and, as a check, in plain NumPy."""

from functools import cached_property

import numpy as np

from captioning.config import DecoderConfig
from captioning.inference.decoder_graphs import memory_graph, step_graph
from captioning.inference.loading import decoder_shapes
from captioning.inference.onnx_networks import OnnxDecoder, open_session
from captioning.lessons.numpy_decoder import PlainDecoder
from captioning.vocabulary import BOS

KINDS = ("merge", "inject", "attention")
R, D = 4, 6


class TinyDecoder:
    """A decoder whose weights are far from zero; `bias` is added to the logits of some words."""

    def __init__(self, *, words, length, kind="attention", seed=0, bias=()):
        self.config = DecoderConfig(
            kind=kind, embedding_size=8, units=16, heads=2, dropout=0.0, max_length=length
        )
        self.words = words
        random = np.random.default_rng(seed)
        shapes = decoder_shapes(self.config, vocabulary_size=words, feature_shape=(R, D))
        self.arrays = {
            path: random.normal(0, 0.7, shape).astype(np.float16).astype(np.float32)
            for path, shape in shapes.items()
        }
        self.arrays["decoder/scaling/mean"] = np.zeros(D, np.float32)
        self.arrays["decoder/scaling/deviation"] = np.ones(D, np.float32)
        for word, value in dict(bias).items():
            self.arrays["decoder/vocabulary/bias"][word] = value

    @cached_property
    def model(self):
        """What a search runs."""
        return OnnxDecoder(
            open_session(memory_graph(self.config, self.arrays, (R, D))),
            open_session(step_graph(self.config, self.arrays)),
            max_length=self.config.max_length,
            vocabulary_size=self.words,
        )

    def log_probs(self, photo, sentences):
        """Read whole sentences of one length; log-probabilities of all words at each place.

        `sentences` are ids `(N, T)`; the result is float64 `(N, T + 1, words)`.
        """
        plain = PlainDecoder(self.config, self.arrays)
        memory = plain.remember(photo[None])
        ids = np.asarray(sentences, np.int64).reshape(len(sentences), -1)
        state, found = plain.begin(memory, len(ids)), []
        for tokens in [np.full(len(ids), BOS), *ids.T]:
            step = plain.step(tokens, state, memory)
            found.append(step.log_probs)
            state = step.state
        return np.stack(found, axis=1)
