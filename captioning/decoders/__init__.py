"""Decoders: from an encoder's features to the probabilities of the next word.

Three kinds, one face (`Decoder`): `merge` keeps the photo out of the recurrent cell and adds it
afterwards, `inject` makes it the cell's first state, `attention` looks at the photo's regions for
every word.  The cell is an LSTM or a GRU.

The registry of decoders costs nothing to read; Keras is imported with the first use of one.
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
    """Make the decoder that `config.kind` and `config.cell` name, with fresh weights.

    Args:
        config: kind, cell and sizes.
        vocabulary_size: words the decoder chooses from, special marks included.
        feature_shape: `(R, D)` for a map of regions, `(D,)` for pooled features.

    Raises:
        ConfigError: `attention` is asked for with pooled features, which have nothing to look at.
    """
    make = decoder_class(config.kind)
    decoder: Decoder = make(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
    decoder.build_all()
    return decoder


def __getattr__(name: str) -> Any:
    """Import what needs Keras when it is first asked for (PEP 562)."""
    if name in ("Decoder", "FeatureShape"):
        from captioning.decoders import base

        return getattr(base, name)
    raise AttributeError(f"module 'captioning.decoders' has no attribute {name!r}")
