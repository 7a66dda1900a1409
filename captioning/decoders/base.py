"""What all decoders share: word embedding, recurrent cell, and what training and search call.

Shapes: B photos, N captions of each photo (its references in training, its beams in search),
T steps, R regions, D feature, U units, V vocabulary.  Keeping N beside B lets a photo be projected
once for all its captions, and lets a beam look at its photo without a copy of it.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from captioning.config import DecoderConfig

__all__ = ["Decoder", "FeatureScaling", "FeatureShape", "Memory", "State"]

FeatureShape = tuple[int, ...]
Memory = dict[str, Any]
"""What a decoder keeps of a photo; every tensor's first axis is B."""
State = tuple[Any, ...]
"""What the cell carries on, each float32 `(B, N, U)`: an LSTM's output and cell state, a GRU's
output."""

_CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


class FeatureScaling(keras.layers.Layer):
    """Bring each channel to mean 0 and deviation 1, by figures taken from training photos.

    Encoders differ in scale a hundredfold; with this one layer they need no learning rate of their
    own.  The figures are weights that are not trained, so they travel with the decoder.
    """

    def build(self, input_shape: Any) -> None:
        """Make the two rows of figures, at first without effect."""
        channels = (input_shape[-1],)
        self.mean = self.add_weight(
            name="mean", shape=channels, initializer="zeros", trainable=False
        )
        self.deviation = self.add_weight(
            name="deviation", shape=channels, initializer="ones", trainable=False
        )
        self.built = True

    def adapt(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Set the figures, each float32 `(D,)`; a channel that never changes is left unscaled."""
        self.mean.assign(mean)
        self.deviation.assign(np.where(deviation > 1e-6, deviation, 1.0))

    def call(self, features: Any) -> Any:
        """Scale `(..., D)` features."""
        return (ops.cast(features, self.compute_dtype) - self.mean) / self.deviation


class Decoder(keras.Model):
    """A recurrent network that reads a caption's words so far and gives the next one's logits.

    A kind of decoder says what it keeps of a photo (`remember`), how the cell begins
    (`initial_state`), what it reads at each step (`cell_inputs`) and what it answers (`answer`).
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
        self.recurrent = _CELLS[config.cell](
            config.units, return_sequences=True, return_state=True, name=config.cell
        )
        self.word_dropout = keras.layers.Dropout(config.dropout, name="word_dropout")
        self.output_dropout = keras.layers.Dropout(config.dropout, name="output_dropout")
        self.vocabulary = keras.layers.Dense(vocabulary_size, name="vocabulary")

    def remember(self, features: Any, training: bool = False) -> Memory:
        """Project a batch of features, `(B, R, D)` or `(B, D)`, once for all its captions."""
        raise NotImplementedError

    def initial_state(self, memory: Memory, copies: int) -> State:
        """Return the state before the first word, for `copies` captions of each photo."""
        return tuple(self.repeated(memory[name], copies) for name in self.config.state_names)

    def cell_inputs(self, words: Any, memory: Memory) -> Any:
        """Return what the cell reads, `(B, N, T, ...)`, from embedded `words` `(B, N, T, E)`."""
        return words

    def answer(self, outputs: Any, memory: Memory, training: bool = False) -> tuple[Any, Any]:
        """Combine the cell's outputs `(B, N, T, U)` with the photo.

        Returns:
            What the vocabulary layer reads, `(B, N, T, H)`, and the attention weights
            `(B, N, T, R)`, which sum to 1 over R; None where the kind has no attention.
        """
        raise NotImplementedError

    def logits(self, answers: Any) -> Any:
        """Return the unnormalised scores `(..., V)` of all words, from answers `(..., H)`."""
        return self.vocabulary(answers)

    def read(self, memory: Memory, tokens: Any, training: bool = False) -> tuple[Any, Any, State]:
        """Run over whole captions under teacher forcing.

        Args:
            memory: what `remember` returned.
            tokens: int32 `(B, N, T)`, right-padded.
            training: whether to drop numbers at random.

        Returns:
            answers `(B, N, T, H)`, attention weights or None, and the cell's last state,
            each part `(B * N, U)`.
        """
        batch, copies, steps = ops.shape(tokens)
        words = self.word_dropout(self.embedding(tokens), training=training)
        inputs = self.cell_inputs(words, memory)
        state = [
            ops.reshape(part, (-1, self.config.units))
            for part in self.initial_state(memory, copies)
        ]
        # Padding stands on the right and the loss leaves it out, so the cell needs no mask.
        outputs, *last = self.recurrent(
            # Not -1: the number of rows must stay known where the state's is.
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
            memory: what `remember` returned.

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
        """Add the layers that turn the photo into the state before the first word."""
        units = self.config.units
        self.photo_hidden = keras.layers.Dense(units, activation="tanh", name="photo_hidden")
        if "cell" in self.config.state_names:
            self.photo_cell = keras.layers.Dense(units, name="photo_cell")

    def first_state(self, photo: Any) -> Memory:
        """Return the state before the first word by name, from the photo's vector `(B, D)`."""
        state = {"hidden": self.photo_hidden(photo)}
        if "cell" in self.config.state_names:
            state["cell"] = self.photo_cell(photo)
        return state

    def build_all(self) -> None:
        """Make every weight, by reading one caption of one blank photo."""
        self(np.zeros((1, *self.feature_shape), "float32"), np.zeros((1, 1, 2), "int32"))

    def blank_photo(self) -> Any:
        """Return the mean of the training photos' features as one photo, `(1, ...)`."""
        return ops.broadcast_to(self.scaling.mean, (1, *self.feature_shape))

    def heat(self, temperature: float) -> None:
        """Divide the logits by `temperature` for good; below 1 the likely words become likelier."""
        for weight in self.vocabulary.weights:
            weight.assign(weight / temperature)

    def pooled(self, features: Any) -> Any:
        """Scale features and, if they are a map of regions, take their mean: `(B, D)`."""
        scaled = self.scaling(features)
        return ops.mean(scaled, axis=1) if len(self.feature_shape) == 2 else scaled

    def repeated(self, values: Any, copies: int) -> Any:
        """Repeat `(B, U)` for each of a photo's captions: `(B, copies, U)`."""
        return ops.repeat(values[:, None], copies, axis=1)
