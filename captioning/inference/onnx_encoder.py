"""An encoder run by ONNX Runtime."""

import numpy as np
from onnxruntime import InferenceSession

from captioning.config import EncoderConfig
from captioning.encoders import PhotoEncoder

__all__ = ["OnnxEncoder"]

AT_ONCE = 8
"""Photos in one call; larger batches are no faster and take more memory."""


class OnnxEncoder(PhotoEncoder):
    """An encoder from its graph.

    Args:
        config: name, layer and input size, all filled in.
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
