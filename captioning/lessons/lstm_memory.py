"""What an LSTM remembers: how far gradients reach back, and units that follow a property of a word.

A unit is chosen on one half of the sentences and judged on the other: among hundreds of units some
would follow anything by chance, and the second half had no part in the choice.

Shapes: S sentences, T words of the longest, E embedding, U units, W words of all sentences.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.errors import QueryError
from captioning.lessons.numpy_decoder import Memory, PlainDecoder, WordStep
from captioning.lessons.numpy_lstm import GATES, CellStep, CellWeights
from captioning.vocabulary import BOS, PAD

_SINGLE = np.float32
"""Of the way back: it takes half the time of float64, and the norms agree to six digits."""


@dataclass(frozen=True)
class Fading:
    """How strongly each word read still moves the last hidden state.

    Attributes:
        lstm: for each word the Frobenius norm of the derivative of the last hidden state by the
            word's embedding, `(T,)`; the last one read comes last.
        tanh: the same for the network without gates.
    """

    lstm: np.ndarray
    tanh: np.ndarray


def fading(decoder: PlainDecoder, steps: Sequence[WordStep]) -> Fading:
    """Compare the LSTM with the same network without its gates.

    That network is h = tanh(x W + h U + b) with the weights of the LSTM's own candidate; it begins
    with the same hidden state and reads the same words.  It was never trained separately, so it
    shows what the gates do to the way back through time, not how well some other network could
    learn.

    Args:
        decoder: whose weights.
        steps: of one sentence that it read.

    Reference:
        Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient descent is
        difficult", IEEE Transactions on Neural Networks 5(2), 1994.
    """
    embedding = decoder.config.embedding_size
    candidate = decoder.weights.of("candidate")
    inputs = np.stack([step.inputs[0] for step in steps])
    return Fading(
        lstm=lstm_influence([step.cell for step in steps], decoder.weights, embedding),
        tanh=tanh_influence(inputs, steps[0].cell.hidden_before[0], candidate, embedding),
    )


def lstm_influence(steps: Sequence[CellStep], weights: CellWeights, embedding: int) -> np.ndarray:
    """Go back through the steps of an LSTM by the chain rule.

    Args:
        steps: one for each word; the first sentence of each is taken.
        weights: of the cell.
        embedding: how many of the inputs are the word's embedding; they come first.

    Returns:
        `(T,)`, one norm for each word.
    """
    units = weights.units
    both = np.concatenate([weights.kernel[:embedding], weights.recurrent]).astype(_SINGLE)
    by_gate = {gate: both[:, n * units : (n + 1) * units] for n, gate in enumerate(GATES)}
    by_hidden, by_cell = np.eye(units, dtype=_SINGLE), np.zeros((units, units), _SINGLE)
    norms = []
    for step in reversed(steps):
        into_cell, into_hidden = _slopes(step)
        through_cell = by_cell + _shown(step)[:, None] * by_hidden
        # Three gates move the cell state: their weights are added before they go the way back, as
        # that takes a third of the multiplications.
        inward = sum(by_gate[gate] * slope for gate, slope in into_cell.items())
        back = inward @ through_cell + by_gate["output"] @ (into_hidden[:, None] * by_hidden)
        norms.append(float(np.linalg.norm(back[:embedding])))
        by_hidden = back[embedding:]
        by_cell = step.values["forget"][0].astype(_SINGLE)[:, None] * through_cell
    return np.array(norms[::-1])


def tanh_influence(
    inputs: np.ndarray, first: np.ndarray, weights: CellWeights, embedding: int
) -> np.ndarray:
    """Run h = tanh(x W + h U + b), and go back through it.

    Args:
        inputs: `(T, I)`.
        first: hidden state before the first word, `(U,)`.
        weights: of one dense layer: `(I, U)`, `(U, U)`, `(U,)`.
        embedding: how many of the inputs are the word's embedding.

    Returns:
        `(T,)`, one norm for each word.
    """
    hidden, states = first, []
    for read in inputs:
        hidden = np.tanh(read @ weights.kernel + hidden @ weights.recurrent + weights.bias)
        states.append(hidden)
    both = np.concatenate([weights.kernel[:embedding], weights.recurrent]).astype(_SINGLE)
    by_hidden, norms = np.eye(len(first), dtype=_SINGLE), []
    for state in reversed(states):
        slopes = (1.0 - state**2).astype(_SINGLE)
        back = both @ (slopes[:, None] * by_hidden)
        norms.append(float(np.linalg.norm(back[:embedding])))
        by_hidden = back[embedding:]
    return np.array(norms[::-1])


def _slopes(step: CellStep) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return how the sum inside each gate moves the cell state, and the hidden state by `output`.

    A gate that is held moves nothing.  All are in single precision.
    """
    values = {gate: value[0] for gate, value in step.values.items()}
    slopes = {
        "input": values["candidate"] * values["input"] * (1.0 - values["input"]),
        "forget": step.cell_before[0] * values["forget"] * (1.0 - values["forget"]),
        "candidate": values["input"] * (1.0 - values["candidate"] ** 2),
    }
    shown = np.tanh(step.cell[0]) * values["output"] * (1.0 - values["output"])
    for gate in ("input", "forget"):
        if step.switches.held(gate) is not None:
            slopes[gate] = np.zeros_like(slopes[gate])
    if step.switches.held("output") is not None:
        shown = np.zeros_like(shown)
    return {gate: slope.astype(_SINGLE) for gate, slope in slopes.items()}, shown.astype(_SINGLE)


def _shown(step: CellStep) -> np.ndarray:
    """Return how the cell state moves the hidden state, `(U,)`, in single precision."""
    slope: np.ndarray = step.values["output"][0] * (1.0 - np.tanh(step.cell[0]) ** 2)
    return slope.astype(_SINGLE)


COLOURS = frozenset(
    "black white red green blue yellow orange purple pink brown gray grey tan silver golden "
    "blond blonde colorful".split()
)

PROPERTIES = {
    "place": "how many words were read before it",
    "left": "how many words are still to come",
    "colour": "it names a colour",
    "plural": "it ends in s and is also known without it",
    "article": "it is a, an or the",
}
"""Properties by which words are marked; "word" marks one word that the student chooses."""

_FEWEST = 10
"""Words in each half that differ from the usual, below which a correlation says nothing."""

_SHOWN = 3


@dataclass(frozen=True)
class ReadWords:
    """Sentences, read, with the LSTM's hidden state after each word.

    Attributes:
        words: the words of each sentence.
        activations: float64 `(W, U)`, sentence after sentence.
    """

    words: tuple[tuple[str, ...], ...]
    activations: np.ndarray

    @property
    def sentence_of(self) -> np.ndarray:
        """Which sentence each word belongs to, int `(W,)`."""
        return np.repeat(np.arange(len(self.words)), [len(words) for words in self.words])


@dataclass(frozen=True)
class Follower:
    """A unit that follows a property.

    Attributes:
        unit: which one, from 0.
        found: its correlation with the property over the sentences used to choose it, -1 to 1.
        held_out: the same over the other half of the sentences.
    """

    unit: int
    found: float
    held_out: float


def read_words(
    decoder: PlainDecoder, memory: Memory, sentences: Sequence[Sequence[str]], ids: np.ndarray
) -> ReadWords:
    """Let the LSTM read sentences, all at once.

    Args:
        decoder: reads them.
        memory: of a photo for each sentence, or of one for all.
        sentences: the words of each.
        ids: int `(S, T)`, the same as ids, without BOS and EOS, padded on the right.
    """
    state = decoder.begin(memory, len(ids))
    _, cell = decoder.read(np.full(len(ids), BOS), state, memory)
    states = []
    for tokens in ids.T:
        _, cell = decoder.read(tokens, (cell.hidden, cell.cell), memory)
        states.append(cell.hidden)
    lengths = np.array([len(words) for words in sentences])
    real = np.arange(ids.shape[1]) < lengths[:, None]
    return ReadWords(tuple(map(tuple, sentences)), np.stack(states, axis=1)[real])


def mark_words(
    sentences: Sequence[Sequence[str]],
    name: str,
    *,
    known: Collection[str] = (),
    word: str = "",
) -> np.ndarray:
    """Return for each word how much of a property it has.

    Args:
        sentences: the words of each.
        name: one of `PROPERTIES`, or "word".
        known: words of the vocabulary, used to recognise plurals.
        word: the word that "word" marks.

    Returns:
        float64 `(W,)`.

    Raises:
        QueryError: there is no property of that name.
    """
    places = [(place, text, len(words)) for words in sentences for place, text in enumerate(words)]
    match name:
        case "place":
            marks = [float(place) for place, _, _ in places]
        case "left":
            marks = [float(length - 1 - place) for place, _, length in places]
        case "colour":
            marks = [float(text in COLOURS) for _, text, _ in places]
        case "plural":
            marks = [float(text.endswith("s") and text[:-1] in known) for _, text, _ in places]
        case "article":
            marks = [float(text in ("a", "an", "the")) for _, text, _ in places]
        case "word":
            marks = [float(text == word) for _, text, _ in places]
        case _:
            raise QueryError(f"There is no property {name!r}; there are {', '.join(PROPERTIES)}.")
    return np.array(marks)


def correlations(activations: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return Pearson's r of each unit with a property.

    Args:
        activations: `(W, U)`.
        marks: `(W,)`.

    Returns:
        float64 `(U,)`, 0 for a unit or a property that never changes.
    """
    units = activations - activations.mean(axis=0)
    marked = marks - marks.mean()
    scale = np.sqrt((units**2).sum(axis=0) * (marked**2).sum())
    flat = scale < 1e-12
    r: np.ndarray = np.where(flat, 0.0, marked @ units / np.where(flat, 1.0, scale))
    return r


def find_followers(read: ReadWords, marks: np.ndarray) -> list[Follower]:
    """Find the three units that follow a property most closely.

    Args:
        read: sentences read.
        marks: `(W,)`, as `mark_words` returns them.

    Returns:
        The closest first, chosen by every second sentence and judged by the others.

    Raises:
        QueryError: too few words have the property, or lack it.
    """
    chosen_by = read.sentence_of % 2 == 0
    for half in (chosen_by, ~chosen_by):
        counts = np.unique(marks[half], return_counts=True)[1]
        if counts.sum() - counts.max(initial=0) < _FEWEST:
            raise QueryError(
                "Too few of the words read have this property to find a unit that follows "
                "it. Choose another one."
            )
    found = correlations(read.activations[chosen_by], marks[chosen_by])
    held_out = correlations(read.activations[~chosen_by], marks[~chosen_by])
    order = np.argsort(-np.abs(found), kind="stable")[:_SHOWN]
    return [Follower(int(u), float(found[u]), float(held_out[u])) for u in order]


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Write rows of ids of different lengths side by side, int `(S, T)`, PAD on the right."""
    longest = max((len(row) for row in rows), default=0)
    ids = np.full((len(rows), longest), PAD)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    return ids
