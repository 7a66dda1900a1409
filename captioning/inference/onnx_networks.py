"""Encoders and decoders run by ONNX Runtime."""

from typing import Any

import numpy as np
from onnxruntime import InferenceSession

from captioning.config import EncoderConfig
from captioning.decoding import Beginning, Step
from captioning.encoders import PhotoEncoder


class OnnxDecoder:
    """A `StepModel` that runs the two graphs of a decoder.

    Args:
        memory: session of `memory_graph`.
        step: session of `step_graph`.
        max_length: maximum length of a caption, including EOS.
        vocabulary_size: V.
    """

    def __init__(
        self,
        memory: InferenceSession,
        step: InferenceSession,
        *,
        max_length: int,
        vocabulary_size: int,
    ) -> None:
        self.max_length = max_length
        self.vocabulary_size = vocabulary_size
        self._memory, self._step = memory, step
        self._kept = [output.name for output in memory.get_outputs()]
        self._state = [name for name in ("hidden", "cell") if name in self._kept]
        self._attends = any(output.name == "attention" for output in step.get_outputs())

    def begin(self, features: np.ndarray) -> Beginning:
        """Read photos, float32 `(B, R, D)` or `(B, D)`, once for all their captions."""
        found = self._memory.run(self._kept, {"features": np.asarray(features, np.float32)})
        memory = dict(zip(self._kept, found, strict=True))
        return Beginning(memory, [memory.pop(part) for part in self._state])

    def step(
        self, memory: Any, state: Any, rows: np.ndarray, tokens: np.ndarray, *, top: int | None
    ) -> Step:
        """Read one more word of each caption; see `captioning.decoding.StepModel`."""
        likeliest, attends = top is not None, top is None and self._attends
        wanted = ["top_log_probs", "top_words"] if likeliest else ["log_probs"]
        found = self._step.run(
            [
                *(f"next_{name}" for name in self._state),
                *wanted,
                *(["attention"] if attends else []),
            ],
            {
                "rows": np.asarray(rows, np.int64),
                "tokens": np.asarray(tokens, np.int64),
                "top": np.array([top or 1], np.int64),
                **dict(zip(self._state, state, strict=True)),
                **memory,
            },
        )
        parts = len(self._state)
        log_probs, *rest = found[parts:]
        return Step(
            log_probs=log_probs,
            words=rest[0] if likeliest else None,
            state=found[:parts],
            attention=rest[0] if attends else None,
        )


AT_ONCE = 8
"""Photos per call; larger batches are not faster and need more memory."""


class OnnxEncoder(PhotoEncoder):
    """An encoder that runs its graph.

    Args:
        config: with name, layer and input size filled in.
        session: from `pixels` uint8 `(B, S, S, 3)` to `features`.
    """

    def __init__(self, config: EncoderConfig, session: InferenceSession) -> None:
        super().__init__(config, tuple(session.get_outputs()[0].shape[1:]))
        self._session = session

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Compute features, float32 `(B, R, D)` or `(B, D)`, of uint8 pixels `(B, S, S, 3)`."""
        found = [
            self._session.run(["features"], {"pixels": pixels[start : start + AT_ONCE]})[0]
            for start in range(0, len(pixels), AT_ONCE)
        ]
        return np.concatenate(found) if found else np.zeros((0, *self.feature_shape), np.float32)
