"""Decoders run by Keras, word by word, on any backend."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.decoders import Decoder
from captioning.decoding import Beginning, Step, unsayable

__all__ = ["KerasDecoder"]


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
