"""Encoders run by ONNX Runtime."""

import numpy as np
from onnxruntime import InferenceSession

from captioning.config import EncoderConfig
from captioning.encoders import PhotoEncoder

__all__ = ["OnnxEncoder"]

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
