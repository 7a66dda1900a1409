"""Base class of encoders, independent of the engine."""

import numpy as np
from PIL import Image

from captioning.config import EncoderConfig
from captioning.images import as_small_copy, to_square


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
