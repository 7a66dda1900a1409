"""The recurrent cells a decoder can have, described without Keras.

To add one: an entry here, its step as an ONNX graph (`captioning.inference.decoder_graphs`) and in
NumPy (`captioning.lessons.numpy_lstm`), and its formulas in the lesson (`pages.learn.lstm.page`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CellSpec:
    """One recurrent cell.

    Attributes:
        name: its name in sentences, and the name of its layer in `keras.layers`.
        with_article: the name with its article, such as "an LSTM".
        state: the names of what it carries from word to word; the first one is its output.
        gates: its dense layers, in the order of Keras' weights.
        bias_rows: 1 if input and state share a bias `(G * U,)`; 2 if each has its own
            `(2, G * U)`.
    """

    name: str
    with_article: str
    state: tuple[str, ...]
    gates: tuple[str, ...]
    bias_rows: int = 1


CELLS = {
    "lstm": CellSpec(
        name="LSTM",
        with_article="an LSTM",
        state=("hidden", "cell"),
        gates=("input", "forget", "candidate", "output"),
    ),
    "gru": CellSpec(
        name="GRU",
        with_article="a GRU",
        state=("hidden",),
        gates=("update", "reset", "candidate"),
        bias_rows=2,
    ),
}
"""All cells by their name in the settings."""
