"""How far back a sentence is remembered: gradients through an LSTM, and through no gates at all.

Shapes: T words, E embedding, U units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.lessons.numpy_decoder import PlainDecoder, WordStep
from captioning.lessons.numpy_lstm import GATES, CellStep, CellWeights

__all__ = ["Fading", "fading", "lstm_influence", "tanh_influence"]

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
    """Compare the LSTM with the network that is left when its gates are taken away.

    That network is h = tanh(x W + h U + b) with the weights of the LSTM's own candidate; it begins
    with the same hidden state and reads the same words.  It was never trained by itself, so it
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
