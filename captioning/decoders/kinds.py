"""The three kinds of decoder, which differ in where the photo enters."""

from typing import Any

import keras
from keras import ops

from captioning.config import DecoderConfig
from captioning.decoders.base import Decoder, FeatureShape, Memory, State
from captioning.errors import ConfigError


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


class AttentionDecoder(Decoder):
    """A decoder with multi-head attention; the cell's output is the query, regions are the keys.

    The mean of the regions is the cell's initial state and part of each of its inputs.  Because
    attention follows the cell, all words of a training caption are computed in one product; in the
    form of Xu et al., attention precedes the cell and has to run step by step.

    Reference:
        Xu et al., "Show, Attend and Tell", ICML 2015, https://arxiv.org/abs/1502.03044;
        attention from the output: Luong, Pham and Manning, EMNLP 2015,
        https://arxiv.org/abs/1508.04025; heads: Vaswani et al., NeurIPS 2017,
        https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self, config: DecoderConfig, *, vocabulary_size: int, feature_shape: FeatureShape
    ) -> None:
        if len(feature_shape) != 2:
            raise ConfigError(
                "attention needs a map of regions, but this encoder's layer returns one "
                f"vector of {feature_shape[0]} numbers; choose another layer, or merge or inject."
            )
        super().__init__(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
        units = config.units
        self.region_dropout = keras.layers.Dropout(config.dropout, name="region_dropout")
        self.regions = keras.layers.Dense(units, activation="relu", name="regions")
        self.make_first_state()
        self.query = keras.layers.Dense(units, use_bias=False, name="query")
        self.key = keras.layers.Dense(units, use_bias=False, name="key")
        self.value = keras.layers.Dense(units, name="value")
        self.mix = keras.layers.Dense(units, activation="tanh", name="mix")

    def remember(self, features: Any, training: bool = False) -> Memory:
        """Keep keys and values of all regions `(B, R, heads, U/heads)` and their mean `(B, U)`."""
        regions = self.regions(self.scaling(features))
        regions = self.region_dropout(regions, training=training)
        mean = ops.mean(regions, axis=1)
        return {
            "keys": self._split(self.key(regions)),
            "values": self._split(self.value(regions)),
            "mean": mean,
            **self.first_state(mean),
        }

    def cell_inputs(self, words: Any, memory: Memory) -> Any:
        """Concatenate each word with the mean of the regions."""
        shape = (*ops.shape(words)[:3], self.config.units)
        mean = ops.broadcast_to(memory["mean"][:, None, None], shape)
        return ops.concatenate([words, mean], axis=-1)

    def answer(self, outputs: Any, memory: Memory, training: bool = False) -> tuple[Any, Any]:
        """Attend to the regions with each output as query; combine the result with the output."""
        query = self._split(self.query(outputs))
        scores = ops.einsum("bnthd,brhd->bnthr", query, memory["keys"])
        weights = ops.softmax(scores / (query.shape[-1] ** 0.5), axis=-1)
        seen = ops.einsum("bnthr,brhd->bnthd", weights, memory["values"])
        seen = ops.reshape(seen, ops.shape(outputs))
        answers = self.mix(ops.concatenate([outputs, seen], axis=-1))
        return self.output_dropout(answers, training=training), ops.mean(weights, axis=-2)

    def _split(self, values: Any) -> Any:
        """Split the last axis into heads."""
        heads = self.config.heads
        return ops.reshape(values, (*ops.shape(values)[:-1], heads, self.config.units // heads))
