"""One step of an LSTM or GRU cell in NumPy, with every intermediate number, and its formulas.

Shapes: N sentences, I inputs, U units.  The order of the gates in the weights is Keras': input,
forget, candidate, output; for a GRU update, reset, candidate.
"""

from dataclasses import dataclass

import numpy as np

from captioning.cells import CELLS
from captioning.errors import ConfigError
from captioning.lessons.latex import numeral, signed, total

GATES = CELLS["lstm"].gates
"""The four dense layers of an LSTM cell, in the order of its weights."""


@dataclass(frozen=True)
class Switches:
    """Gates held at a value instead of being computed; None leaves a gate as it was learned.

    Attributes:
        forget: from 0 (nothing is kept from step to step) to 1 (everything is).
        input: from 0 (nothing new is written) to 1.
        output: from 0 (nothing is shown) to 1.

    Raises:
        ConfigError: a value is below 0 or above 1, which no gate can be.
    """

    forget: float | None = None
    input: float | None = None
    output: float | None = None

    def __post_init__(self) -> None:
        for name in ("forget", "input", "output"):
            value = self.held(name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise ConfigError(f"A gate lies between 0 and 1, so {name} cannot be {value:g}.")

    def held(self, gate: str) -> float | None:
        """Return the value a gate is held at; None where it is free, as the candidate always is."""
        value: float | None = getattr(self, gate, None)
        return value


FREE_GATES = Switches()


@dataclass(frozen=True)
class CellWeights:
    """The weights of a cell, the four gates side by side.

    Attributes:
        kernel: for what is read, float64 `(I, 4U)`.
        recurrent: for the hidden state, float64 `(U, 4U)`.
        bias: float64 `(4U,)`.
    """

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray

    @property
    def units(self) -> int:
        """How many numbers the cell remembers, U."""
        return len(self.recurrent)

    def of(self, gate: str) -> "CellWeights":
        """Return the weights of one gate: `(I, U)`, `(U, U)` and `(U,)`."""
        start = GATES.index(gate) * self.units
        columns = slice(start, start + self.units)
        return CellWeights(self.kernel[:, columns], self.recurrent[:, columns], self.bias[columns])


@dataclass(frozen=True)
class CellStep:
    """What happened in a cell while it read one word; every array is float64 `(N, U)`.

    Attributes:
        from_input: for each gate what the input adds up to, x W.
        from_hidden: for each gate what the hidden state adds up to, h U.
        bias: for each gate its bias, `(U,)`.
        values: for each gate its value after the squashing function, or the value it is held at.
        hidden_before: hidden state before the word.
        cell_before: cell state before the word.
        hidden: hidden state after it.
        cell: cell state after it.
        switches: which gates were held.
    """

    from_input: dict[str, np.ndarray]
    from_hidden: dict[str, np.ndarray]
    bias: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    hidden_before: np.ndarray
    cell_before: np.ndarray
    hidden: np.ndarray
    cell: np.ndarray
    switches: Switches = FREE_GATES


def lstm_cell(
    inputs: np.ndarray,
    hidden: np.ndarray,
    cell: np.ndarray,
    weights: CellWeights,
    switches: Switches = FREE_GATES,
) -> CellStep:
    """Read one input.

    Args:
        inputs: `(N, I)`.
        hidden: `(N, U)`.
        cell: `(N, U)`.
        weights: of the cell.
        switches: gates to hold.

    Reference:
        Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997; the
        forget gate: Gers, Schmidhuber and Cummins, Neural Computation 12(10), 2000.
    """
    read, remembered, biases, values = {}, {}, {}, {}
    for gate in GATES:
        part = weights.of(gate)
        read[gate] = inputs @ part.kernel
        remembered[gate] = hidden @ part.recurrent
        biases[gate] = part.bias
        total = read[gate] + remembered[gate] + part.bias
        values[gate] = np.tanh(total) if gate == "candidate" else sigmoid(total)
        held = switches.held(gate)
        if held is not None:
            values[gate] = np.full_like(total, held)
    new_cell = values["forget"] * cell + values["input"] * values["candidate"]
    new_hidden = values["output"] * np.tanh(new_cell)
    return CellStep(read, remembered, biases, values, hidden, cell, new_hidden, new_cell, switches)


def gru_cell(
    inputs: np.ndarray,
    hidden: np.ndarray,
    cell: np.ndarray,
    weights: CellWeights,
    switches: Switches = FREE_GATES,
) -> CellStep:
    """Read one input; a GRU has no cell state, so its hidden state stands for both.

    Args:
        inputs: `(N, I)`.
        hidden: `(N, U)`.
        cell: not used.
        weights: kernel `(I, 3U)`, recurrent `(U, 3U)`, and biases `(2, 3U)`: the first for the
            input, the second for the hidden state.
        switches: not used; only the gates of an LSTM can be held.

    Reference:
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014,
        https://arxiv.org/abs/1406.1078; the reset after the product, as Keras computes it.
    """
    gates = CELLS["gru"].gates
    for_input, for_hidden = weights.bias
    parts = (
        np.split(values, len(gates), axis=-1)
        for values in (inputs @ weights.kernel + for_input, hidden @ weights.recurrent + for_hidden)
    )
    read, remembered = (dict(zip(gates, part, strict=True)) for part in parts)
    values = {gate: sigmoid(read[gate] + remembered[gate]) for gate in ("update", "reset")}
    values["candidate"] = np.tanh(read["candidate"] + values["reset"] * remembered["candidate"])
    new = values["update"] * hidden + (1 - values["update"]) * values["candidate"]
    biases = dict(zip(gates, np.split(for_input + for_hidden, len(gates)), strict=True))
    return CellStep(read, remembered, biases, values, hidden, hidden, new, new)


_STEPS = {"lstm": lstm_cell, "gru": gru_cell}


def cell_step(
    name: str,
    inputs: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
    weights: CellWeights,
    switches: Switches = FREE_GATES,
) -> CellStep:
    """Read one input with the cell that a setting names.

    Args:
        name: a key of `captioning.cells.CELLS`.
        inputs: `(N, I)`.
        state: hidden and cell state, each `(N, U)`.
        weights: of the cell.
        switches: gates of an LSTM to hold.
    """
    return _STEPS[name](inputs, *state, weights, switches)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)), computed by tanh so that large numbers do not overflow."""
    squashed: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * values))
    return squashed


_LETTERS = {"input": "i", "forget": "f", "candidate": "g", "output": "o"}


@dataclass(frozen=True)
class CellFormula:
    """One line of the cell's arithmetic.

    Attributes:
        name: what it computes: "forget", "input", "candidate", "output", "cell" or "hidden".
        symbols: the formula in letters.
        numbers: the same with the numbers of one unit, and the result.
        result: the result, unrounded.
    """

    name: str
    symbols: str
    numbers: str
    result: float


def cell_formulas(step: CellStep, unit: int) -> list[CellFormula]:
    """Write the six lines of one unit: the gates, the cell state, the hidden state.

    Args:
        step: what happened in the cell.
        unit: which of its units, from 0.
    """
    place = 0, unit  # of the first sentence
    kept, written = step.values["forget"][place], step.values["input"][place]
    new, shown = step.values["candidate"][place], step.values["output"][place]
    before, cell, hidden = step.cell_before[place], step.cell[place], step.hidden[place]
    return [
        *(_gate(step, gate, place) for gate in ("forget", "input", "candidate", "output")),
        CellFormula(
            "cell",
            r"c_t = f \cdot c_{t-1} + i \cdot g",
            rf"c_t = {numeral(kept)} \cdot {signed(before)} + "
            rf"{numeral(written)} \cdot {signed(new)} = {numeral(cell)}",
            float(cell),
        ),
        CellFormula(
            "hidden",
            r"h_t = o \cdot \tanh(c_t)",
            rf"h_t = {numeral(shown)} \cdot \tanh({numeral(cell)}) = {numeral(hidden)}",
            float(hidden),
        ),
    ]


def _gate(step: CellStep, gate: str, place: tuple[int, int]) -> CellFormula:
    """Write one dense layer: the word's part, the part of the sentence so far, the bias."""
    letter, value = _LETTERS[gate], float(step.values[gate][place])
    squash = r"\tanh" if gate == "candidate" else r"\sigma"
    symbols = rf"{letter} = {squash}(x W_{letter} + h_{{t-1}} U_{letter} + b_{letter})"
    if step.switches.held(gate) is not None:
        return CellFormula(gate, symbols, rf"{letter} = {numeral(value)}\ \mathrm{{(held)}}", value)
    parts = (step.from_input[gate][place], step.from_hidden[gate][place], step.bias[gate][place[1]])
    inside = numeral(sum(parts))
    numbers = rf"{letter} = {squash}({total(*parts)}) = {squash}({inside}) = {numeral(value)}"
    return CellFormula(gate, symbols, numbers, value)
