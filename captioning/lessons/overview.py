"""The whole model: every tensor on the way from a photo to a word, with its actual shape."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import to_numpy
from captioning.captioner import Captioner
from captioning.decoders import DECODERS
from captioning.lessons.encoder import MapSpec, OpenedEncoder
from captioning.vocabulary import BOS


@dataclass(frozen=True)
class Tensor:
    """A tensor on the way from the photo to the word.

    Attributes:
        name: what it is called.
        shape: for one photo and one word; without batch, caption and time axes.
        axes: what its axes count, such as "regions x numbers".
        lesson: key of the lesson that opens it.
        meaning: one sentence.
    """

    name: str
    shape: tuple[int, ...]
    axes: str
    lesson: str
    meaning: str

    @property
    def size(self) -> str:
        """The shape as people write it, such as "64 x 256"."""
        return " × ".join(f"{n:,}" for n in self.shape)


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model.

    Attributes:
        kind: of the decoder: attention, inject or merge.
        encoder: name of the encoder.
        maps: the sizes to which the encoder shrinks the photo.
        tensors: in the order in which they are computed.
        encoder_weights: how many numbers the encoder has learned.
        decoder_weights: how many the decoder has learned.
    """

    kind: str
    encoder: str
    maps: tuple[MapSpec, ...]
    tensors: tuple[Tensor, ...]
    encoder_weights: int
    decoder_weights: int

    def tensor(self, name: str) -> Tensor:
        """Return the tensor called `name`.

        Raises:
            LookupError: this kind of model has none.
        """
        for found in self.tensors:
            if found.name == name:
                return found
        raise LookupError(f"A model of the kind {self.kind} has no tensor called {name!r}.")


_SAYS = {
    "pixels": ("rows × columns × colours", "encoder", "The photo, squashed to a square."),
    "features": (
        "regions × numbers",
        "encoder",
        "What the encoder found: a row of numbers for each region of the photo.",
    ),
    "word vector": ("numbers", "words", "The word before, as the numbers learned for it."),
    "LSTM input": ("numbers", "lstm", "What the cell reads at one step."),
    "LSTM state": (
        "numbers",
        "lstm",
        "The output of the cell, which it also reads at the next step.",
    ),
    "attention weights": (
        "regions",
        "attention",
        "How much each region counts for the next word; they sum to 1.",
    ),
    "word scores": ("words", "decoding", "One score for each word and mark of the vocabulary."),
}
_POOLED = ("numbers", "encoder", "What the encoder found in the photo as a whole.")


def anatomy_of(captioner: Captioner, features: np.ndarray) -> Anatomy:
    """Run one step of a model on one photo, and note the shapes of its tensors.

    Args:
        captioner: the model.
        features: of the photo, `(1, R, D)` or `(1, D)`.
    """
    decoder, encoder = captioner.keras_decoder, captioner.keras_encoder
    side = int(encoder.config.input_size or 0)
    memory = decoder.remember(ops.convert_to_tensor(np.asarray(features, np.float32)))
    state = decoder.initial_state(memory, 1)
    token = np.array([[BOS]], np.int32)
    word = decoder.embedding(token[:, :, None])
    read = decoder.cell_inputs(word, memory)
    logits, (hidden, *_), looked = decoder.step(token, state, memory)
    shapes = {
        "pixels": (side, side, 3),
        "features": features.shape[1:],
        "word vector": word.shape[-1:],
        "LSTM input": read.shape[-1:],
        "LSTM state": hidden.shape[-1:],
        "attention weights": None if looked is None else looked.shape[-1:],
        "word scores": logits.shape[-1:],
    }
    tensors = [
        Tensor(name, tuple(map(int, shape)), *_SAYS[name])
        for name, shape in shapes.items()
        if shape is not None
    ]
    if features.ndim == 2:
        tensors[1] = Tensor("features", tensors[1].shape, *_POOLED)
    tensors[2:2] = _remembered(decoder.config.kind, memory)
    return Anatomy(
        kind=decoder.config.kind,
        encoder=encoder.config.name,
        maps=tuple(OpenedEncoder(encoder).maps),
        tensors=tuple(tensors),
        encoder_weights=int(encoder.network.count_params()),
        decoder_weights=int(decoder.count_params()),
    )


def _remembered(kind: str, memory: dict[str, Any]) -> list[Tensor]:
    """Return what the decoder keeps of the photo, in the one tensor that matters most."""
    kept = DECODERS[kind].memory
    if kept is None:
        return []
    name, lesson, meaning = kept
    shape = to_numpy(memory[name]).shape[1:]
    axes = "regions × heads × numbers" if len(shape) == 3 else "numbers"
    return [Tensor("photo memory", tuple(map(int, shape)), axes, lesson, meaning)]
