"""Inject: the photo is the LSTM's initial state, as in encoder-decoder translation."""

from typing import Any

import keras

from captioning.config import DecoderConfig
from captioning.decoders.base import Decoder, FeatureShape, Memory


class InjectDecoder(Decoder):
    """A decoder that reads the photo once, before the first word.

    Reference:
        Vinyals et al., "Show and Tell: A Neural Image Caption Generator", CVPR 2015,
        https://arxiv.org/abs/1411.4555; called init-inject by Tanti, Gatt and Camilleri 2018.
    """

    def __init__(
        self, config: DecoderConfig, *, vocabulary_size: int, feature_shape: FeatureShape
    ) -> None:
        super().__init__(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
        self.photo_dropout = keras.layers.Dropout(config.dropout, name="photo_dropout")
        self.make_first_state()

    def remember(self, features: Any, training: bool = False) -> Memory:
        """Return the cell's initial state, each tensor `(B, U)`."""
        return self.first_state(self.photo_dropout(self.pooled(features), training=training))

    def answer(self, outputs: Any, memory: Memory, training: bool = False) -> tuple[Any, Any]:
        """Return the cell's output unchanged."""
        return self.output_dropout(outputs, training=training), None
