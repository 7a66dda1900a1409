"""Encoders: networks that turn a photo into features for a decoder to read.

Each encoder owns its preprocessing.  It takes raw pixels, 0 to 255, of a square photo; nobody else
scales a pixel.
"""

from captioning.encoders.encoder import Encoder, load_encoder
from captioning.encoders.registry import ENCODERS, EncoderSpec, LayerSpec, encoder_key, resolve

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderSpec",
    "LayerSpec",
    "encoder_key",
    "load_encoder",
    "resolve",
]
