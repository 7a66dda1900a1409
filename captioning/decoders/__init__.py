"""Decoders: from an encoder's features to the probabilities of the next word.

There are three kinds with one interface (`Decoder`): `merge` adds the photo after the recurrent
cell, `inject` makes it the cell's initial state, and `attention` attends to the photo's regions for
every word.  `captioning.cells` lists the cells.

Reading the registry is cheap; Keras is imported when a decoder is first used.
"""

from typing import TYPE_CHECKING, Any

from captioning.config import DecoderConfig
from captioning.decoders.registry import DECODERS, DecoderSpec, decoder_class, register_decoder

if TYPE_CHECKING:
    from captioning.decoders.base import Decoder, FeatureShape

__all__ = [
    "DECODERS",
    "Decoder",
    "DecoderSpec",
    "FeatureShape",
    "build_decoder",
    "register_decoder",
]


def build_decoder(
    config: DecoderConfig, *, vocabulary_size: int, feature_shape: "FeatureShape"
) -> "Decoder":
    """Build the decoder that `config.kind` and `config.cell` name, with initial weights.

    Args:
        config: kind, cell and sizes.
        vocabulary_size: number of words, including special tokens.
        feature_shape: `(R, D)` for a map of regions, `(D,)` for pooled features.

    Raises:
        ConfigError: the kind is `attention`, but the features are pooled and have no regions.
    """
    make = decoder_class(config.kind)
    decoder: Decoder = make(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
    decoder.build_all()
    return decoder


def __getattr__(name: str) -> Any:
    """Import names that need Keras on first access (PEP 562)."""
    if name in ("Decoder", "FeatureShape"):
        from captioning.decoders import base

        return getattr(base, name)
    raise AttributeError(f"module 'captioning.decoders' has no attribute {name!r}")
