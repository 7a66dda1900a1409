"""Base class of decoders: word embedding, recurrent cell, interface to training and search.

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
