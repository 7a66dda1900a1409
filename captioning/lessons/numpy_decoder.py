"""The three decoders in NumPy, from a model's own weights: they read and write sentences.

The results equal Keras' to 1e-5.  One word takes a millisecond, so a lesson can change a gate or
the attention weights and let the model continue.

Shapes: N sentences, R regions, D feature, U units, H heads, V vocabulary.  A memory has N rows, one
for each sentence, or a single row for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.bundle import Bundle
from captioning.config import DecoderConfig
from captioning.errors import BundleError
from captioning.lessons.numpy_lstm import FREE_GATES, CellStep, CellWeights, Switches, cell_step
from captioning.vocabulary import BOS, EOS, PAD, UNK

State = tuple[np.ndarray, np.ndarray]
"""Hidden and cell state, each float64 `(N, U)`; of a cell with one state, that state twice."""

NEVER = -1e9
"""Added to the logits of marks that are no words: low enough for a probability of 0."""


@dataclass(frozen=True)
class Memory:
    """What a decoder keeps of a photo; what its kind does not need is None.

    Attributes:
        hidden: the hidden state before the first word, `(N, U)`.
        cell: the cell state before the first word, `(N, U)`.
        photo: merge: the photo's vector, added after the LSTM, `(N, U)`.
        mean: attention: the regions' mean, read with every word, `(N, U)`.
        keys: attention: what a query is compared with, `(N, H, R, U/H)`.
        values: attention: what is seen of a region, `(N, H, R, U/H)`.
    """

    hidden: np.ndarray
    cell: np.ndarray
    photo: np.ndarray | None = None
    mean: np.ndarray | None = None
    keys: np.ndarray | None = None
    values: np.ndarray | None = None


@dataclass(frozen=True)
class Look:
    """Attention at one word.

    Attributes:
        query: made from the LSTM's output, `(N, H, U/H)`.
        scores: query times key over the root of U/H, `(N, H, R)`.
        weights: of the regions, `(N, H, R)`; they sum to 1 over R.
        free: the weights of the model itself, equal to `weights` unless attention was forced.
        seen: the weighted sum of the values, `(N, U)`.
    """

    query: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    free: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class WordStep:
    """One word read, and the decoder's results for it.

    Attributes:
        tokens: the words read, `(N,)`.
        inputs: what the LSTM reads, `(N, I)`.
        cell: what happened in it.
        look: the look at the photo; None for a kind without attention.
        logits: scores of all words, `(N, V)`.
        log_probs: natural logarithms of the next word's probabilities, `(N, V)`, over all words
            that can be written.
    """

    tokens: np.ndarray
    inputs: np.ndarray
    cell: CellStep
    look: Look | None
    logits: np.ndarray
    log_probs: np.ndarray

    @property
    def state(self) -> State:
        """The state after the word."""
        return self.cell.hidden, self.cell.cell


class PlainDecoder:
    """A decoder that computes in float64 and keeps all it computes.

    Args:
        config: of the decoder.
        arrays: its weights by path, as a bundle keeps them or `captioning.arrays.weights_of` gives
            them.

    Raises:
        BundleError: a weight is missing.
    """

    def __init__(self, config: DecoderConfig, arrays: Mapping[str, np.ndarray]) -> None:
        self.config = config
        self._arrays = {
            path.removeprefix("decoder/"): np.asarray(array, np.float64)
            for path, array in arrays.items()
        }
        names = ("kernel", "recurrent_kernel", "bias")
        cell = f"{config.cell}/{config.cell}_cell"
        self.weights = CellWeights(*(self._array(f"{cell}/{name}") for name in names))
        self.embeddings = self._array("embedding/embeddings")

    @classmethod
    def of(cls, bundle: Bundle) -> "PlainDecoder":
        """Read the decoder of a bundle; needs no Keras.

        Raises:
            BundleError: its weights are missing or damaged.
        """
        return cls(bundle.decoder, bundle.decoder_arrays())

    def remember(self, features: np.ndarray) -> Memory:
        """Prepare photos once, for all their words.

        Args:
            features: `(N, R, D)` or `(N, D)`, any float type.
        """
        scaled = np.asarray(features, np.float64) - self._array("scaling/mean")
        scaled = scaled / self._array("scaling/deviation")
        if self.config.kind == "attention":
            return self._remember_regions(scaled)
        pooled = scaled.mean(axis=1) if scaled.ndim == 3 else scaled
        if self.config.kind == "merge":
            photo = _relu(self._dense("photo", pooled))
            return Memory(np.zeros_like(photo), np.zeros_like(photo), photo=photo)
        return Memory(*self._first_state(pooled))

    def begin(self, memory: Memory, copies: int = 1) -> State:
        """Return the state before the first word, for each sentence.

        Args:
            memory: of one photo, or of a photo for each sentence.
            copies: sentences about one photo.
        """
        rows = max(len(memory.hidden), copies)
        shape = (rows, self.config.units)
        return np.broadcast_to(memory.hidden, shape), np.broadcast_to(memory.cell, shape)

    def read(
        self, tokens: np.ndarray, state: State, memory: Memory, switches: Switches = FREE_GATES
    ) -> tuple[np.ndarray, CellStep]:
        """Let the LSTM read one word of each sentence.

        Returns:
            What it read, `(N, I)`, and what happened in it.
        """
        inputs = self.embeddings[tokens]
        if memory.mean is not None:
            mean = np.broadcast_to(memory.mean, (len(inputs), self.config.units))
            inputs = np.concatenate([inputs, mean], axis=-1)
        return inputs, cell_step(self.config.cell, inputs, state, self.weights, switches)

    def step(
        self,
        tokens: np.ndarray,
        state: State,
        memory: Memory,
        *,
        switches: Switches = FREE_GATES,
        force: np.ndarray | None = None,
    ) -> WordStep:
        """Read one word of each sentence and compute how likely each next word is.

        Args:
            tokens: int `(N,)`.
            state: before them.
            memory: of the photo.
            switches: gates of an LSTM to hold.
            force: weights of the regions to look with instead of the model's own, `(R,)` or
                anything that broadcasts to `(N, H, R)`; of no effect without attention.
        """
        inputs, cell = self.read(tokens, state, memory, switches)
        answer, look = self._answer(cell.hidden, memory, force)
        logits = self._dense("vocabulary", answer)
        sayable = logits.copy()
        sayable[:, [PAD, UNK, BOS]] += NEVER
        return WordStep(tokens, inputs, cell, look, logits, log_softmax(sayable))

    def _answer(
        self, hidden: np.ndarray, memory: Memory, force: np.ndarray | None
    ) -> tuple[np.ndarray, Look | None]:
        """Combine the LSTM's output with the photo, as the kind of decoder does."""
        if memory.photo is not None:
            return _relu(self._dense("merge", hidden + memory.photo)), None
        if memory.keys is None:
            return hidden, None
        look = self.look(hidden, memory, force)
        both = np.concatenate([hidden, look.seen], axis=-1)
        return np.tanh(self._dense("mix", both)), look

    def look(self, hidden: np.ndarray, memory: Memory, force: np.ndarray | None = None) -> Look:
        """Look at the regions: scaled dot products of a query with the keys, softmax, sum.

        Args:
            hidden: what the LSTM shows, `(N, U)`.
            memory: of the photo.
            force: weights to look with instead, as in `step`.

        Raises:
            BundleError: the decoder that remembered the photo has no attention.
        """
        if memory.keys is None or memory.values is None:
            raise BundleError("This photo was not read by a decoder with attention.")
        query = self._heads(self._dense("query", hidden))
        size = query.shape[-1]
        scores = (query[:, :, None] @ memory.keys.swapaxes(-1, -2))[:, :, 0] / np.sqrt(size)
        free = softmax(scores)
        weights = free if force is None else np.broadcast_to(force, free.shape)
        seen = (weights[:, :, None] @ memory.values)[:, :, 0].reshape(hidden.shape)
        return Look(query, scores, weights, free, seen)

    def _remember_regions(self, scaled: np.ndarray) -> Memory:
        regions = _relu(self._dense("regions", scaled))
        mean = regions.mean(axis=1)
        keys, values = (
            self._heads(self._dense(name, regions)).swapaxes(1, 2) for name in ("key", "value")
        )
        return Memory(*self._first_state(mean), mean=mean, keys=keys, values=values)

    def _first_state(self, photo: np.ndarray) -> State:
        hidden = np.tanh(self._dense("photo_hidden", photo))
        return hidden, self._dense(
            "photo_cell", photo
        ) if "cell" in self.config.state_names else hidden

    def _heads(self, values: np.ndarray) -> np.ndarray:
        """Cut the last axis into heads."""
        heads = self.config.heads
        return values.reshape(*values.shape[:-1], heads, values.shape[-1] // heads)

    def _dense(self, name: str, values: np.ndarray) -> np.ndarray:
        result: np.ndarray = values @ self._array(f"{name}/kernel")
        bias = f"{name}/bias"
        return result + self._arrays[bias] if bias in self._arrays else result

    def _array(self, path: str) -> np.ndarray:
        try:
            return self._arrays[path]
        except KeyError:
            raise BundleError(
                f"The decoder of kind {self.config.kind} has no weights called {path}."
            ) from None


def softmax(values: np.ndarray) -> np.ndarray:
    """Turn scores into shares that sum to 1 over the last axis."""
    shares: np.ndarray = np.exp(log_softmax(values))
    return shares


def log_softmax(values: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of `softmax`; the largest score is subtracted first."""
    shifted = values - values.max(axis=-1, keepdims=True)
    logs: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs


def _relu(values: np.ndarray) -> np.ndarray:
    above: np.ndarray = np.maximum(values, 0.0)
    return above


@dataclass(frozen=True)
class Written:
    """A sentence with the steps that led to it.

    Attributes:
        ids: its words, without BOS and EOS.
        steps: one for each word read, BOS first; step t gives how likely each word at place t is.
        ended: whether the model ended it; if not, it was cut at the model's full length.
    """

    ids: tuple[int, ...]
    steps: tuple[WordStep, ...]
    ended: bool = True

    @property
    def log_probs(self) -> tuple[float, ...]:
        """Natural logarithm of each word's probability, and of the end's where it ended."""
        tokens = [*self.ids, EOS] if self.ended else self.ids
        return tuple(
            float(step.log_probs[0, token]) for step, token in zip(self.steps, tokens, strict=False)
        )

    @property
    def log_prob(self) -> float:
        """Natural logarithm of the probability of the whole sentence, its end included."""
        return sum(self.log_probs)


def read_sentence(
    decoder: PlainDecoder,
    memory: Memory,
    ids: Sequence[int],
    *,
    switches: Switches = FREE_GATES,
) -> Written:
    """Read a given sentence, as in training.

    Args:
        decoder: reads it.
        memory: of one photo.
        ids: its words, without BOS and EOS.
        switches: gates to hold.
    """
    state, steps = decoder.begin(memory), []
    for token in (BOS, *ids):
        step = decoder.step(np.array([token]), state, memory, switches=switches)
        steps.append(step)
        state = step.state
    return Written(tuple(ids), tuple(steps))


def write_greedily(
    decoder: PlainDecoder,
    memory: Memory,
    *,
    begun: Sequence[int] = (),
    switches: Switches = FREE_GATES,
    force: np.ndarray | None = None,
    forced_at: int | None = None,
) -> Written:
    """Write a sentence, always taking the likeliest next word.

    Args:
        decoder: writes it.
        memory: of one photo.
        begun: words it begins with, whatever their probability.
        switches: gates to hold at every step.
        force: weights of the regions to look with, as in `PlainDecoder.step`.
        forced_at: the place of the only word that is looked for by force; None for all places
            from the end of `begun` on.
    """
    state, token = decoder.begin(memory), BOS
    ids: list[int] = []
    steps: list[WordStep] = []
    for place in range(decoder.config.max_length):
        now = place >= len(begun) if forced_at is None else place == forced_at
        look = force if now else None
        step = decoder.step(np.array([token]), state, memory, switches=switches, force=look)
        steps.append(step)
        state = step.state
        token = begun[place] if place < len(begun) else int(step.log_probs[0].argmax())
        if token == EOS:
            return Written(tuple(ids), tuple(steps))
        ids.append(token)
    return Written(tuple(ids), tuple(steps), ended=False)
