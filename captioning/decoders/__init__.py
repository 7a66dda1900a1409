"""LSTM decoders: from an encoder's features to the probabilities of the next word.

Three kinds, one face (`Decoder`): `merge` keeps the photo out of the LSTM and adds it afterwards,
`inject` makes it the LSTM's first state, `attention` looks at the photo's regions for every word.
"""

from captioning.config import DecoderConfig
from captioning.decoders.attention import AttentionDecoder
from captioning.decoders.base import Decoder, FeatureShape
from captioning.decoders.inject import InjectDecoder
from captioning.decoders.merge import MergeDecoder

__all__ = [
    "AttentionDecoder",
    "Decoder",
    "InjectDecoder",
    "MergeDecoder",
    "build_decoder",
]

_KINDS: dict[str, type[Decoder]] = {
    "merge": MergeDecoder,
    "inject": InjectDecoder,
    "attention": AttentionDecoder,
}


def build_decoder(
    config: DecoderConfig, *, vocabulary_size: int, feature_shape: FeatureShape
) -> Decoder:
    """Make the decoder that `config.kind` names, with fresh weights.

    Args:
        config: kind and sizes.
        vocabulary_size: words the decoder chooses from, special marks included.
        feature_shape: `(R, D)` for a map of regions, `(D,)` for pooled features.

    Raises:
        ConfigError: `attention` is asked for with pooled features, which have nothing to look at.
    """
    decoder = _KINDS[config.kind](
        config, vocabulary_size=vocabulary_size, feature_shape=feature_shape
    )
    decoder.build_all()
    return decoder
