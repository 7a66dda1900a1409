"""Decoders run by Keras, word by word, on any backend."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.decoders import Decoder
from captioning.decoding import Beginning, Step, unsayable
from captioning.vocabulary import BOS


class KerasDecoder:
    """A `StepModel` that runs a Keras decoder; its weights may change between calls.

    Each step is one compiled call; the state stays on the device, and only words and probabilities
    are transferred.

    Args:
        network: the decoder.
    """

    def __init__(self, network: Decoder) -> None:
        self.network = network
        self.max_length = network.config.max_length
        self.vocabulary_size = network.vocabulary_size
        self._begin = compiled(self._first, network)
        self._sample = compiled(self._sampled, network)
        self._steps: dict[int | None, Callable[..., Any]] = {}

    def begin(self, features: np.ndarray) -> Beginning:
        """Read photos, float32 `(B, R, D)` or `(B, D)`, once for all their captions."""
        memory, state = self._begin(np.asarray(features, np.float32))
        return Beginning(memory, state)

    def step(
        self, memory: Any, state: Any, rows: np.ndarray, tokens: np.ndarray, *, top: int | None
    ) -> Step:
        """Read one more word of each caption; see `captioning.decoding.StepModel`."""
        if top not in self._steps:
            self._steps[top] = compiled(partial(self._next, top), self.network)
        read = self._steps[top]
        state, log_probs, *rest = read(
            memory, state, np.asarray(rows, np.int32), np.asarray(tokens, np.int32)
        )
        values = to_numpy(log_probs)
        if top is not None:
            return Step(values, to_numpy(rest[0]).astype(np.int64), state)
        return Step(values, None, state, to_numpy(rest[0]) if rest else None)

    def sample(self, features: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Sample captions from the decoder's probabilities, excluding only special tokens.

        All words of all captions are one compiled call.

        Args:
            features: float32 `(B, R, D)` or `(B, D)`.
            draws: float32 `(T, B, K)` in [0, 1): one random number per word of K captions.

        Returns:
            Ids, int32 `(T, B, K)`; those after a caption's EOS have no meaning.
        """
        return to_numpy(self._sample(features, np.asarray(draws, np.float32)))

    def _sampled(self, features: Any, draws: Any) -> Any:
        network = self.network
        memory = network.remember(features)
        special = unsayable(self.vocabulary_size)

        def one(before: list[Any], draw: Any) -> tuple[list[Any], list[Any]]:
            tokens, *state = before
            logits, after, _ = network.step(tokens, tuple(state), memory)
            sums = ops.cumsum(ops.softmax(logits + special), axis=-1)
            below = ops.cast(sums <= draw[..., None] * sums[..., -1:], "int32")
            tokens = ops.minimum(ops.sum(below, axis=-1), self.vocabulary_size - 1)
            return [tokens, *after], [tokens, *after]  # TensorFlow needs the same structure twice

        begin = ops.full(ops.shape(draws)[1:], BOS, dtype="int32")
        state = network.initial_state(memory, ops.shape(draws)[2])
        _, (tokens, *_) = ops.scan(one, [begin, *state], draws)
        return tokens

    def _first(self, features: Any) -> tuple[Any, Any]:
        memory = self.network.remember(features)
        return memory, tuple(part[:, 0] for part in self.network.initial_state(memory, 1))

    def _next(
        self, top: int | None, memory: Any, state: Any, rows: Any, tokens: Any
    ) -> tuple[Any, ...]:
        units = self.network.config.units
        shape = (*ops.shape(tokens), units)
        before = tuple(ops.reshape(ops.take(part, rows, axis=0), shape) for part in state)
        logits, after, attention = self.network.step(tokens, before, memory)
        after = tuple(ops.reshape(part, (-1, units)) for part in after)
        log_probs = ops.log_softmax(logits + unsayable(self.vocabulary_size), axis=-1)
        if top is not None:
            return (after, *ops.top_k(log_probs, top))
        return (after, log_probs) if attention is None else (after, log_probs, attention)
