"""Write an ONNX graph node by node."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
_TYPES = {"float32": FLOAT, "int64": INT64, "uint8": UINT8}


_LARGE = 1024
"""Minimum size of an array that is stored in a narrower type."""


class Graph:
    """Collects the inputs, weights, nodes and outputs of one graph.

    Results are identified by name, as in ONNX; methods that create a result return its name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[object] = []
        self._weights: dict[str, np.ndarray] = {}
        self._inputs: list[object] = []
        self._outputs: list[object] = []

    def input(self, name: str, *shape: int | str, dtype: str = "float32") -> str:
        """Declare an input; an axis of unknown length has a name; no axes allow any shape."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape or None))
        return name

    def output(self, name: str, result: str, dtype: str = "float32") -> None:
        """Declare `result` as the output `name`."""
        self._nodes.append(helper.make_node("Identity", [result], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], None))

    def weight(self, value: np.ndarray | float, dtype: type[np.generic] = np.float32) -> str:
        """Add a constant; a large one is stored as float16 if that is lossless."""
        name = f"weight{len(self._weights)}"
        exact = np.ascontiguousarray(value, dtype)
        narrow = _narrowed(exact) if exact.size >= _LARGE and dtype is np.float32 else exact
        self._weights[name] = narrow
        # ONNX Runtime converts it when it loads the graph, not at each run.
        return name if narrow is exact else self.add("Cast", name, to=FLOAT)

    def shape(self, *sizes: int) -> str:
        """Add a shape for `Reshape`; 0 keeps an axis and -1 is inferred."""
        return self.weight(np.array(sizes), np.int64)

    def add(self, operation: str, *inputs: str, **attributes: object) -> str:
        """Add a node with one result."""
        return self.add_many(operation, 1, *inputs, **attributes)[0]

    def add_many(
        self, operation: str, results: int, *inputs: str, **attributes: object
    ) -> list[str]:
        """Add a node with several results."""
        names = [f"{operation.lower()}{len(self._nodes)}_{i}" for i in range(results)]
        self._nodes.append(helper.make_node(operation, list(inputs), names, **attributes))
        return names

    def dense(self, values: str, kernel: np.ndarray, bias: np.ndarray | None = None) -> str:
        """Multiply `(..., D)` by a kernel `(D, U)` and add a bias `(U,)`."""
        product = self.add("MatMul", values, self.weight(kernel))
        return product if bias is None else self.add("Add", product, self.weight(bias))

    def to_bytes(self) -> bytes:
        """Return the contents of the model file."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            self._inputs,
            self._outputs,
            initializer=[numpy_helper.from_array(v, n) for n, v in self._weights.items()],
        )
        model: ModelProto = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="captioning",
        )
        content: bytes = model.SerializeToString()
        return content


def _narrowed(value: np.ndarray) -> np.ndarray:
    """Return `value` as float16 if that is lossless, else unchanged."""
    with np.errstate(over="ignore"):
        narrow = value.astype(np.float16)
    return narrow if np.array_equal(narrow, value) else value
