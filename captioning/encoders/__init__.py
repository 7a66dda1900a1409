"""Encoders: networks that compute a photo's features for the decoder.

Each encoder includes its preprocessing: its input is raw pixels, 0 to 255, of a square photo.

Reading the registry is cheap; Keras is imported when an encoder is first used.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from captioning.config import EncoderConfig
from captioning.encoders.registry import (
    COMPACT_BLOCKS,
    ENCODERS,
    EncoderSpec,
    LayerSpec,
    encoder_key,
    feature_shape,
    pooled,
    regions,
    register_encoder,
    resolve,
)
from captioning.images import as_small_copy, to_square

if TYPE_CHECKING:
    from captioning.encoders.encoder import Encoder, load_encoder

__all__ = [
    "COMPACT_BLOCKS",
    "ENCODERS",
    "Encoder",
    "EncoderSpec",
    "LayerSpec",
    "PhotoEncoder",
    "encoder_key",
    "feature_shape",
    "load_encoder",
    "pooled",
    "regions",
    "register_encoder",
    "resolve",
]


class PhotoEncoder:
    """A network that turns photos into features.

    Attributes:
        config: with name, layer and input size filled in.
        feature_shape: `(R, D)` for a map of regions, `(D,)` for pooled features.
        grid: height and width of the map; None for pooled features.
    """

    def __init__(self, config: EncoderConfig, feature_shape: tuple[int, ...]) -> None:
        self.config = config
        self.feature_shape = feature_shape
        side = round(feature_shape[0] ** 0.5)
        self.grid = (side, side) if len(feature_shape) == 2 else None

    def pixels(self, photo: Image.Image) -> np.ndarray:
        """Resize an RGB photo to the input of this encoder, uint8 `(S, S, 3)`."""
        if self.config.photo_size:
            photo = as_small_copy(photo, self.config.photo_size)
        return to_square(photo, int(self.config.input_size or 0))

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Compute features.

        Args:
            pixels: uint8 `(B, S, S, 3)`.

        Returns:
            float32 `(B, R, D)` or `(B, D)`.
        """
        raise NotImplementedError


def __getattr__(name: str) -> Any:
    """Import names that need Keras on first access (PEP 562)."""
    if name in ("Encoder", "load_encoder"):
        from captioning.encoders import encoder

        return getattr(encoder, name)
    raise AttributeError(f"module 'captioning.encoders' has no attribute {name!r}")
