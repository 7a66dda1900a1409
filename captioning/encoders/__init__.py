"""Encoders: networks that turn a photo into features for a decoder to read.

Each encoder owns its preprocessing.  It takes raw pixels, 0 to 255, of a square photo; nobody else
scales a pixel.

The registry of encoders costs nothing to read; Keras is imported with the first use of one.
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
    """Import what needs Keras when it is first asked for (PEP 562)."""
    if name in ("Encoder", "load_encoder"):
        from captioning.encoders import encoder

        return getattr(encoder, name)
    raise AttributeError(f"module 'captioning.encoders' has no attribute {name!r}")
