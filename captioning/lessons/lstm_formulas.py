"""The formulas of an LSTM cell with the numbers of one unit put in, as LaTeX."""

from dataclasses import dataclass

from captioning.lessons.latex import numeral, signed, total
from captioning.lessons.numpy_lstm import CellStep

__all__ = ["CellFormula", "cell_formulas"]

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


def cell_formulas(step: CellStep, unit: int, *, sentence: int = 0) -> list[CellFormula]:
    """Write the six lines of one unit: the gates, the cell state, the hidden state.

    Args:
        step: what happened in the cell.
        unit: which of its units, from 0.
        sentence: which of its sentences.
    """
    place = sentence, unit
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
    """Write one dense layer: what the word adds, what the sentence so far adds, the bias."""
    letter, value = _LETTERS[gate], float(step.values[gate][place])
    squash = r"\tanh" if gate == "candidate" else r"\sigma"
    symbols = rf"{letter} = {squash}(x W_{letter} + h_{{t-1}} U_{letter} + b_{letter})"
    if step.switches.held(gate) is not None:
        return CellFormula(gate, symbols, rf"{letter} = {numeral(value)}\ \mathrm{{(held)}}", value)
    parts = (step.from_input[gate][place], step.from_hidden[gate][place], step.bias[gate][place[1]])
    inside = numeral(sum(parts))
    numbers = rf"{letter} = {squash}({total(*parts)}) = {squash}({inside}) = {numeral(value)}"
    return CellFormula(gate, symbols, numbers, value)
