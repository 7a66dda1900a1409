"""A diagram of a Keras model, with a box per layer, without graphviz."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 3.3, 0.62, 3.7, 1.0
_KINDS = {
    "InputLayer": "#dfeeea",
    "Dense": "#e9e3f4",
    "LSTM": "#f6e3d8",
    "Embedding": "#f4eccf",
}


def draw_model(model: "keras.Model", path: Path) -> None:
    """Draw a functional model from its inputs down to its output, as a PNG.

    The row of a layer is the length of the longest path to it; lines connect a layer to its inputs.

    Raises:
        OSError: it cannot be written.
    """
    from matplotlib.figure import Figure  # takes a second

    operations, sources = _graph(model)
    rows = _rows(sources)
    places = _places(sources, rows)
    right = max(x for x, _ in places.values())
    size = (right + _WIDTH + 0.4, (max(rows.values()) + 1) * _DOWN + 0.3)
    figure = Figure(figsize=size, dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.2, size[0] - 0.2), ylim=(-size[1] + _HEIGHT + 0.15, _HEIGHT + 0.15))
    axes.axis("off")
    for name, before in sources.items():
        for source in before:
            _draw_line(axes, places[source], places[name])
    for name, (x, y) in places.items():
        _draw_box(axes, operations[name], x, y)
    figure.savefig(path, facecolor="white")


def _graph(model: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return layers and operations by name, and their inputs, in the order in which they run."""
    operations: dict[str, Any] = {}
    sources: dict[str, list[str]] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            operations[node.operation.name] = node.operation
            before = sources.setdefault(node.operation.name, [])
            before += [p.operation.name for p in node.parent_nodes]
    return operations, {name: list(dict.fromkeys(before)) for name, before in sources.items()}


def _rows(sources: dict[str, list[str]]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for name, before in sources.items():
        rows[name] = 1 + max((rows.get(source, -1) for source in before), default=-1)
    return rows


def _places(sources: dict[str, list[str]], rows: dict[str, int]) -> dict[str, tuple[float, float]]:
    """Place a layer below its inputs; the layers of a row are next to each other and centred."""
    wanted: dict[str, float] = {}
    places: dict[str, tuple[float, float]] = {}
    for row in range(max(rows.values()) + 1):
        names = [name for name in sources if rows[name] == row]
        for place, name in enumerate(names):
            above = [places[source][0] for source in sources[name] if source in places]
            wanted[name] = sum(above) / len(above) if above else place * _ACROSS
        last = -_ACROSS
        for name in sorted(names, key=lambda name: wanted[name]):
            last = max(wanted[name], last + _ACROSS)
            places[name] = (last, -row * _DOWN)
    left = min(x for x, _ in places.values())
    return {name: (x - left, y) for name, (x, y) in places.items()}


def _draw_box(axes: Any, layer: Any, x: float, y: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    kind = type(layer).__name__
    colour = _KINDS.get(kind, "#f1f2f4")
    style = "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch((x, y), _WIDTH, _HEIGHT, style, facecolor=colour, edgecolor="#7d858f")
    axes.add_patch(box)
    middle = x + _WIDTH / 2
    own = re.sub(r"[_\d]", "", layer.name) != re.sub(r"\d", "", kind).lower()
    name = f"{layer.name} ({kind})" if own else kind
    axes.text(middle, y + 0.41, name, ha="center", va="center", fontsize=9)
    shape = " x ".join("any" if n is None else str(n) for n in _shape(layer)) or "one number"
    axes.text(middle, y + 0.18, shape, ha="center", va="center", fontsize=8, color="#555b63")


def _shape(layer: Any) -> tuple[int | None, ...]:
    """Return the shape of a layer's output, without the batch."""
    output = layer.output
    first = output[0] if isinstance(output, (list, tuple)) else output
    return tuple(first.shape[1:])


def _draw_line(axes: Any, source: tuple[float, float], target: tuple[float, float]) -> None:
    begin = (source[0] + _WIDTH / 2, source[1])
    end = (target[0] + _WIDTH / 2, target[1] + _HEIGHT)
    arrow = {"arrowstyle": "-|>", "color": "#7d858f", "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, begin, arrowprops=arrow, zorder=0)
