"""Encoders: networks that compute a photo's features for the decoder.

Each encoder includes its preprocessing: its input is raw pixels, 0 to 255, of a square photo.

Reading the registry is cheap; Keras is imported when an encoder is first used.
"""

from typing import TYPE_CHECKING, Any

from captioning.encoders.photo_encoder import PhotoEncoder
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


def __getattr__(name: str) -> Any:
    """Import names that need Keras on first access (PEP 562)."""
    if name in ("Encoder", "load_encoder"):
        from captioning.encoders import encoder

        return getattr(encoder, name)
    raise AttributeError(f"module 'captioning.encoders' has no attribute {name!r}")
