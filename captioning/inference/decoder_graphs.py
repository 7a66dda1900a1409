"""The decoders as ONNX graphs: one for the photo's memory, and one for each step.

Shapes: B photos, K captions of each, N = B K, M captions in the state before, R regions, D feature,
H heads, U units, V vocabulary.

These graphs implement the networks of `captioning.decoders` a second time.  Parity tests compare
the two; a change to a decoder has to be made in both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from captioning.config import DecoderConfig
from captioning.decoding.step import unsayable
from captioning.inference.graph import Graph


@dataclass(frozen=True)
class _Sketch:
    """A graph under construction, with its weights."""

    graph: Graph
    config: DecoderConfig
    arrays: Mapping[str, np.ndarray]

    def array(self, path: str) -> np.ndarray:
        return np.asarray(self.arrays[f"decoder/{path}"], np.float32)

    def cell(self, name: str) -> np.ndarray:
        """Return a weight of the recurrent cell: kernel, recurrent_kernel or bias."""
        return self.array(f"{self.config.cell}/{self.config.cell}_cell/{name}")

    def dense(self, layer: str, values: str, activation: str | None = None) -> str:
        bias = f"decoder/{layer}/bias" in self.arrays
        product = self.graph.dense(
            values, self.array(f"{layer}/kernel"), self.array(f"{layer}/bias") if bias else None
        )
        return self.graph.add(activation, product) if activation else product

    def heads(self, values: str, order: tuple[int, ...]) -> str:
        """Split the last axis of `(B, n, U)` into heads, and transpose the axes."""
        size = self.config.units // self.config.heads
        cut = self.graph.add("Reshape", values, self.graph.shape(0, 0, self.config.heads, size))
        return self.graph.add("Transpose", cut, perm=order)


def memory_graph(
    config: DecoderConfig, arrays: Mapping[str, np.ndarray], feature_shape: tuple[int, ...]
) -> bytes:
    """Write the graph of a photo's memory and the initial state.

    Input: `features`, `(B, R, D)` or `(B, D)`.  Outputs: `hidden` and, for an LSTM, `cell`,
    `(B, U)`, and the memory with the input names of the step.
    """
    sketch = _Sketch(Graph("memory"), config, arrays)
    graph = sketch.graph
    features = graph.input("features", "B", *feature_shape)
    centred = graph.add("Sub", features, graph.weight(sketch.array("scaling/mean")))
    scaled = graph.add("Div", centred, graph.weight(sketch.array("scaling/deviation")))
    if len(feature_shape) == 2 and config.kind != "attention":
        scaled = graph.add("ReduceMean", scaled, axes=[1], keepdims=0)
    for name, result in _KINDS[config.kind].remember(sketch, scaled).items():
        graph.output(name, result)
    return graph.to_bytes()


def step_graph(config: DecoderConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write the graph of one decoder step, which reads one word of each caption.

    Inputs: `tokens` int64 `(B, K)`; `rows` int64 `(N,)`, the row of the previous state that each
    caption continues; `hidden` and, for an LSTM, `cell` `(M, U)`; `top` int64 `(1,)`; and the
    memory.  Outputs: `log_probs` `(B, K, V)`; `top_log_probs` and `top_words` of the `top` most
    likely words, `(B, K, top)`; `attention` `(B, K, R)`, if any; `next_hidden` and `next_cell`,
    `(N, U)`.
    """
    sketch = _Sketch(Graph("step"), config, arrays)
    graph = sketch.graph
    outputs = _CELLS[config.cell](sketch)
    answers, attention = _KINDS[config.kind].answer(sketch, outputs)
    kernel, bias = sketch.array("vocabulary/kernel"), sketch.array("vocabulary/bias")
    logits = graph.dense(answers, kernel, bias + unsayable(len(bias)))
    log_probs = graph.add("LogSoftmax", logits, axis=-1)
    graph.output("log_probs", log_probs)
    top = graph.input("top", 1, dtype="int64")
    best, words = graph.add_many("TopK", 2, log_probs, top, axis=-1)
    graph.output("top_log_probs", best)
    graph.output("top_words", words, dtype="int64")
    if attention is not None:
        graph.output("attention", attention)
    return graph.to_bytes()


def _lstm(sketch: _Sketch) -> str:
    """Write the LSTM; return its output `(B, K, U)`."""
    graph = sketch.graph
    words, (before, kept_before) = _read(sketch)
    read = graph.add("Concat", words, before, axis=-1)
    kernel = np.concatenate([_word_kernel(sketch), sketch.cell("recurrent_kernel")])
    gates = graph.dense(read, kernel, sketch.cell("bias"))
    if sketch.config.kind == "attention":
        gates = graph.add("Add", gates, graph.input("photo_gates"))
    into, keep, new, out = graph.add_many("Split", 4, gates, axis=-1)
    kept = graph.add("Mul", graph.add("Sigmoid", keep), kept_before)
    added = graph.add("Mul", graph.add("Sigmoid", into), graph.add("Tanh", new))
    cell = graph.add("Add", kept, added)
    hidden = graph.add("Mul", graph.add("Sigmoid", out), graph.add("Tanh", cell))
    _hand_on(sketch, hidden, cell)
    return hidden


def _gru(sketch: _Sketch) -> str:
    """Write the GRU; return its output `(B, K, U)`."""
    graph = sketch.graph
    words, (before,) = _read(sketch)
    for_read, for_before = sketch.cell("bias")
    read = graph.dense(words, _word_kernel(sketch), for_read)
    if sketch.config.kind == "attention":
        read = graph.add("Add", read, graph.input("photo_gates"))
    remembered = graph.dense(before, sketch.cell("recurrent_kernel"), for_before)
    read_keep, read_reset, read_new = graph.add_many("Split", 3, read, axis=-1)
    old_keep, old_reset, old_new = graph.add_many("Split", 3, remembered, axis=-1)
    keep = graph.add("Sigmoid", graph.add("Add", read_keep, old_keep))
    reset = graph.add("Sigmoid", graph.add("Add", read_reset, old_reset))
    new = graph.add("Tanh", graph.add("Add", read_new, graph.add("Mul", reset, old_new)))
    # keep * before + (1 - keep) * new
    difference = graph.add("Sub", before, new)
    hidden = graph.add("Add", new, graph.add("Mul", keep, difference))
    _hand_on(sketch, hidden)
    return hidden


def _read(sketch: _Sketch) -> tuple[str, list[str]]:
    """Return the embedded words `(B, K, E)` and the previous state of each, `(B, K, U)`."""
    graph, units = sketch.graph, sketch.config.units
    tokens = graph.input("tokens", "B", "K", dtype="int64")
    rows = graph.input("rows", "N", dtype="int64")
    shape = graph.add("Concat", graph.add("Shape", tokens), graph.shape(units), axis=0)

    def inherited(name: str) -> str:
        own = graph.add("Gather", graph.input(name, "M", units), rows, axis=0)
        return graph.add("Reshape", own, shape)

    embeddings = graph.weight(sketch.array("embedding/embeddings"))
    words = graph.add("Gather", embeddings, tokens, axis=0)
    return words, [inherited(name) for name in sketch.config.state_names]


def _word_kernel(sketch: _Sketch) -> np.ndarray:
    """Return the rows of the kernel for words.

    The product of the rows for the photo is the same at every word, so it is stored in the memory.
    """
    return sketch.cell("kernel")[: sketch.config.embedding_size]


def _hand_on(sketch: _Sketch, *state: str) -> None:
    graph = sketch.graph
    for name, result in zip(sketch.config.state_names, state, strict=True):
        flat = graph.add("Reshape", result, graph.shape(-1, sketch.config.units))
        graph.output(f"next_{name}", flat)


def _remember_merge(sketch: _Sketch, pooled: str) -> dict[str, str]:
    photo = sketch.dense("photo", pooled, "Relu")
    zeros = sketch.graph.add("ConstantOfShape", sketch.graph.add("Shape", photo))
    state = dict.fromkeys(sketch.config.state_names, zeros)
    return {**state, "photo": _one_for_all(sketch.graph, photo)}


def _answer_merge(sketch: _Sketch, outputs: str) -> tuple[str, None]:
    merged = sketch.graph.add("Add", outputs, sketch.graph.input("photo"))
    return sketch.dense("merge", merged, "Relu"), None


def _first_state(sketch: _Sketch, photo: str) -> dict[str, str]:
    state = {"hidden": sketch.dense("photo_hidden", photo, "Tanh")}
    if "cell" in sketch.config.state_names:
        state["cell"] = sketch.dense("photo_cell", photo)
    return state


def _remember_attention(sketch: _Sketch, scaled: str) -> dict[str, str]:
    graph = sketch.graph
    regions = sketch.dense("regions", scaled, "Relu")
    mean = graph.add("ReduceMean", regions, axes=[1], keepdims=0)
    gates = graph.dense(mean, sketch.cell("kernel")[sketch.config.embedding_size :])
    return {
        **_first_state(sketch, mean),
        "photo_gates": _one_for_all(graph, gates),
        "keys": sketch.heads(sketch.dense("key", regions), (0, 2, 3, 1)),
        "values": sketch.heads(sketch.dense("value", regions), (0, 2, 1, 3)),
    }


def _answer_attention(sketch: _Sketch, outputs: str) -> tuple[str, str]:
    graph, config = sketch.graph, sketch.config
    query = sketch.heads(sketch.dense("query", outputs), (0, 2, 1, 3))
    scores = graph.add("MatMul", query, graph.input("keys"))
    scale = graph.weight((config.units // config.heads) ** -0.5)
    weights = graph.add("Softmax", graph.add("Mul", scores, scale), axis=-1)  # (B, H, K, R)
    seen = graph.add("MatMul", weights, graph.input("values"))
    side_by_side = graph.add("Transpose", seen, perm=(0, 2, 1, 3))
    seen = graph.add("Reshape", side_by_side, graph.shape(0, 0, config.units))
    answers = sketch.dense("mix", graph.add("Concat", outputs, seen, axis=-1), "Tanh")
    return answers, graph.add("ReduceMean", weights, axes=[1], keepdims=0)


def _one_for_all(graph: Graph, values: str) -> str:
    """Add an axis for the captions to `(B, U)`: `(B, 1, U)`."""
    return graph.add("Unsqueeze", values, graph.shape(1))


_CELLS = {"lstm": _lstm, "gru": _gru}


@dataclass(frozen=True)
class _Kind:
    """The memory of one kind of decoder, and the input of its vocabulary layer."""

    remember: Callable[[_Sketch, str], dict[str, str]]
    answer: Callable[[_Sketch, str], tuple[str, str | None]]


_KINDS = {
    "merge": _Kind(_remember_merge, _answer_merge),
    "inject": _Kind(_first_state, lambda sketch, outputs: (outputs, None)),
    "attention": _Kind(_remember_attention, _answer_attention),
}
