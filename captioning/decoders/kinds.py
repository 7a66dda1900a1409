"""The decoders as Keras networks: word embedding, recurrent cell, and where the photo enters.

Shapes: B photos, N captions of each photo (its references in training, its beams in search),
T steps, R regions, D feature, U units, V vocabulary.  A separate axis N lets a photo be projected
once for all its captions, and lets beams share their photo without copies.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from captioning.cells import CELLS
from captioning.config import DecoderConfig
from captioning.errors import ConfigError

FeatureShape = tuple[int, ...]
Memory = dict[str, Any]
"""A decoder's representation of photos; the first axis of each tensor is B."""
State = tuple[Any, ...]
"""The state of the cell, each tensor float32 `(B, N, U)`, in the order of `CellSpec.state`."""


class FeatureScaling(keras.layers.Layer):
    """Standardise each channel with the mean and standard deviation over the training photos.

    The scale of encoders differs by a factor of 100; with this layer they all work with the same
    learning rate.  The statistics are non-trainable weights, so they are saved with the decoder.
    """

    def build(self, input_shape: Any) -> None:
        """Create the statistics, initially without effect."""
        channels = (input_shape[-1],)
        self.mean = self.add_weight(
            name="mean", shape=channels, initializer="zeros", trainable=False
        )
        self.deviation = self.add_weight(
            name="deviation", shape=channels, initializer="ones", trainable=False
        )
        self.built = True

    def adapt(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Set the statistics, each float32 `(D,)`; constant channels are not scaled."""
        self.mean.assign(mean)
        self.deviation.assign(np.where(deviation > 1e-6, deviation, 1.0))

    def call(self, features: Any) -> Any:
        """Scale `(..., D)` features."""
        return (ops.cast(features, self.compute_dtype) - self.mean) / self.deviation


class Decoder(keras.Model):
    """A recurrent network that reads the words of a caption and returns the next word's logits.

    A kind of decoder defines the representation of a photo (`remember`), the cell's initial state
    (`initial_state`), its inputs at each step (`cell_inputs`) and its output layer (`answer`).
    """

    def __init__(
        self, config: DecoderConfig, *, vocabulary_size: int, feature_shape: FeatureShape
    ) -> None:
        super().__init__(name="decoder")
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.feature_shape = tuple(feature_shape)
        self.scaling = FeatureScaling(name="scaling")
        self.embedding = keras.layers.Embedding(
            vocabulary_size, config.embedding_size, name="embedding"
        )
        self.recurrent = getattr(keras.layers, CELLS[config.cell].name)(
            config.units, return_sequences=True, return_state=True, name=config.cell
        )
        self.word_dropout = keras.layers.Dropout(config.dropout, name="word_dropout")
        self.output_dropout = keras.layers.Dropout(config.dropout, name="output_dropout")
        self.vocabulary = keras.layers.Dense(vocabulary_size, name="vocabulary")

    def remember(self, features: Any, training: bool = False) -> Memory:
        """Project a batch of features, `(B, R, D)` or `(B, D)`, once for all captions."""
        raise NotImplementedError

    def initial_state(self, memory: Memory, copies: int) -> State:
        """Return the state before the first word, for `copies` captions of each photo."""
        return tuple(self.repeated(memory[name], copies) for name in self.config.state_names)

    def cell_inputs(self, words: Any, memory: Memory) -> Any:
        """Return the inputs of the cell, `(B, N, T, ...)`, for embedded words `(B, N, T, E)`."""
        return words

    def answer(self, outputs: Any, memory: Memory, training: bool = False) -> tuple[Any, Any]:
        """Combine the cell's outputs `(B, N, T, U)` with the photo.

        Returns:
            The inputs of the vocabulary layer, `(B, N, T, H)`, and the attention weights
            `(B, N, T, R)`, which sum to 1 over R; None without attention.
        """
        raise NotImplementedError

    def logits(self, answers: Any) -> Any:
        """Return the logits `(..., V)` of all words, from answers `(..., H)`."""
        return self.vocabulary(answers)

    def read(self, memory: Memory, tokens: Any, training: bool = False) -> tuple[Any, Any, State]:
        """Read whole captions under teacher forcing.

        Args:
            memory: returned by `remember`.
            tokens: int32 `(B, N, T)`, right-padded.
            training: whether to apply dropout.

        Returns:
            answers `(B, N, T, H)`, attention weights or None, and the cell's last state, each
            tensor `(B * N, U)`.
        """
        batch, copies, steps = ops.shape(tokens)
        words = self.word_dropout(self.embedding(tokens), training=training)
        inputs = self.cell_inputs(words, memory)
        state = [
            ops.reshape(part, (-1, self.config.units))
            for part in self.initial_state(memory, copies)
        ]
        # Padding is on the right and has no weight in the loss, so the cell needs no mask.
        outputs, *last = self.recurrent(
            # Not -1: the static number of rows must match that of the state.
            ops.reshape(inputs, (batch * copies, steps, inputs.shape[-1])),
            initial_state=state,
            training=training,
        )
        outputs = ops.reshape(outputs, (batch, copies, steps, self.config.units))
        answers, attention = self.answer(outputs, memory, training=training)
        return answers, attention, tuple(last)

    def call(self, features: Any, tokens: Any, training: bool = False) -> Any:
        """Return logits `(B, N, T, V)` for teacher-forced `tokens` `(B, N, T)`."""
        answers, _, _ = self.read(self.remember(features, training), tokens, training)
        return self.logits(answers)

    def step(self, tokens: Any, state: State, memory: Memory) -> tuple[Any, State, Any]:
        """Read one word of each caption.

        Args:
            tokens: int32 `(B, N)`.
            state: the cell's state before them.
            memory: returned by `remember`.

        Returns:
            logits `(B, N, V)`, the state after them, and attention weights `(B, N, R)` or None.
        """
        inputs = self.cell_inputs(self.embedding(tokens[:, :, None]), memory)
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        _, after = self.recurrent.cell(
            flat, [ops.reshape(part, (-1, self.config.units)) for part in state]
        )
        shape = (*ops.shape(tokens), self.config.units)
        state = tuple(ops.reshape(part, shape) for part in after)
        answers, attention = self.answer(state[0][:, :, None], memory)
        weights = None if attention is None else attention[:, :, 0]
        return self.logits(answers[:, :, 0]), state, weights

    def make_first_state(self) -> None:
        """Add the layers that compute the initial state from the photo."""
        units = self.config.units
        self.photo_hidden = keras.layers.Dense(units, activation="tanh", name="photo_hidden")
        if "cell" in self.config.state_names:
            self.photo_cell = keras.layers.Dense(units, name="photo_cell")

    def first_state(self, photo: Any) -> Memory:
        """Return the initial state by name, from the photo's vector `(B, D)`."""
        state = {"hidden": self.photo_hidden(photo)}
        if "cell" in self.config.state_names:
            state["cell"] = self.photo_cell(photo)
        return state

    def build_all(self) -> None:
        """Create all weights, by the shapes of one photo and one caption; nothing is computed."""
        self(keras.KerasTensor((1, *self.feature_shape)), keras.KerasTensor((1, 1, 2), "int32"))

    def blank_photo(self) -> Any:
        """Return the mean features of the training photos as one photo, `(1, ...)`."""
        return ops.broadcast_to(self.scaling.mean, (1, *self.feature_shape))

    def heat(self, temperature: float) -> None:
        """Divide the logits by `temperature` permanently; below 1, probabilities become sharper."""
        for weight in self.vocabulary.weights:
            weight.assign(weight / temperature)

    def pooled(self, features: Any) -> Any:
        """Scale features and average them over regions, if there are any: `(B, D)`."""
        scaled = self.scaling(features)
        return ops.mean(scaled, axis=1) if len(self.feature_shape) == 2 else scaled

    def repeated(self, values: Any, copies: int) -> Any:
        """Repeat `(B, U)` for each of a photo's captions: `(B, copies, U)`."""
        return ops.repeat(values[:, None], copies, axis=1)


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
