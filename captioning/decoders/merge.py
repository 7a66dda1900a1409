"""Merge: the LSTM reads only words, and the photo is added to its output."""

from typing import Any

import keras
from keras import ops

from captioning.config import DecoderConfig
from captioning.decoders.base import Decoder, FeatureShape, Memory, State


class MergeDecoder(Decoder):
    """The design of most tutorials, in which the LSTM never sees the photo.

    Reference:
        Tanti, Gatt and Camilleri, "Where to put the Image in an Image Caption Generator", 2018.
        https://arxiv.org/abs/1703.09137
    """

    def __init__(
        self, config: DecoderConfig, *, vocabulary_size: int, feature_shape: FeatureShape
    ) -> None:
        super().__init__(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
        self.photo_dropout = keras.layers.Dropout(config.dropout, name="photo_dropout")
        self.photo = keras.layers.Dense(config.units, activation="relu", name="photo")
        self.merge = keras.layers.Dense(config.units, activation="relu", name="merge")

    def remember(self, features: Any, training: bool = False) -> Memory:
        """Return one vector of `units` numbers for the whole photo."""
        pooled = self.photo_dropout(self.pooled(features), training=training)
        return {"photo": self.photo(pooled)}

    def initial_state(self, memory: Memory, copies: int) -> State:
        """Return zeros: the LSTM knows nothing about the photo."""
        zeros = ops.zeros_like(self.repeated(memory["photo"], copies))
        return (zeros,) * len(self.config.state_names)

    def answer(self, outputs: Any, memory: Memory, training: bool = False) -> tuple[Any, Any]:
        """Add the photo to the LSTM's output, followed by a dense layer."""
        outputs = self.output_dropout(outputs, training=training)
        return self.merge(outputs + memory["photo"][:, None, None]), None
