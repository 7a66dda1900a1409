"""Pictures of the whole model: the photo's regions, the encoder, and the decoder.

Each is drawn five inches wide, so that its type can be read on a phone; on a wide page the encoder
and the decoder are side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from pages.learn.figures import figure
from pages.ui.theme import Look

if TYPE_CHECKING:
    from captioning.lessons.overview import Anatomy

_SIDE = 100.0
_INCHES = 5.0
_EM = 0.58  # width of a letter, in sizes of its type
_MOST_MAPS = 4


@dataclass(frozen=True)
class Moment:
    """One word of the caption being written.

    Attributes:
        before: the words so far.
        word: the next one; None hides it, because it is to be guessed.
        share: its probability, 0 to 1.
        attention: the attention weights, `(height, width)`; None for a model without attention.
    """

    before: Sequence[str]
    word: str | None
    share: float
    attention: np.ndarray | None


def draw_regions(anatomy: "Anatomy", photo: np.ndarray, moment: Moment, look: Look) -> Figure:
    """Draw the photo cut into its regions, bright where the model looks for this word.

    Args:
        anatomy: the model's parts and shapes.
        photo: as the encoder sees it, uint8 `(S, S, 3)`.
        moment: what is being written.
        look: colours and sizes.
    """
    made, axes = _empty(look, 4.0)
    _show(axes, photo, 0, 0, _SIDE)
    if len(anatomy.tensor("features").shape) == 2:
        _cut(axes, anatomy, moment, 0, 0, _SIDE)
    return made


def draw_encoder(
    anatomy: "Anatomy", photo: np.ndarray, maps: Sequence[np.ndarray], look: Look
) -> Figure:
    """Draw the photo on its way through the encoder, in two rows.

    Args:
        anatomy: the model's parts and shapes.
        photo: as the encoder sees it, uint8 `(S, S, 3)`.
        maps: the mean over channels of each of `anatomy.maps`, `(H, W)`.
        look: colours and sizes.
    """
    made, axes = _empty(look, _INCHES)
    shown = list(zip(anatomy.maps, maps, strict=True))[-_MOST_MAPS:]
    features = anatomy.tensor("features")
    steps: list[tuple[str, str, np.ndarray | None]] = [
        ("photo", anatomy.tensor("pixels").size, photo),
        *(("map", f"{s.height}×{s.width}×{s.channels}", values) for s, values in shown),
        ("regions" if len(features.shape) == 2 else "features", features.size, photo),
    ]
    places = [(16.0, 69.0), (50.0, 69.0), (84.0, 69.0), (16.0, 18.0), (50.0, 18.0), (84.0, 18.0)]
    places = [*places[: len(steps) - 1], places[-1]]
    ended = 0.0  # where the step before ends
    for number, ((name, size, values), (x, y)) in enumerate(zip(steps, places, strict=True)):
        side = 30.0 if name != "map" else 26.0 - 3 * number
        _label(axes, x, y + 20, name, size, look)
        if name == "map":
            _show(axes, _clipped(values), x - side / 2, y - side / 2, side, cmap=look.heat)
        elif name == "features":
            axes.add_patch(_box(x - 3, y - side / 2, 6, side, look, look.accent))
        else:
            _show(axes, photo, x - side / 2, y - side / 2, side)
        if name == "regions":
            _cut(axes, anatomy, Moment((), None, 0.0, None), x - side / 2, y - side / 2, side)
        if number and places[number - 1][1] == y:
            _arrow(axes, (ended + 0.6, y), (x - side / 2 - 0.6, y), look)
        elif number:
            _bent(axes, [(84, 53), (84, 46.5), (x, 46.5), (x, y + 25)], look)
        ended = x + side / 2
    return made


def draw_decoder(anatomy: "Anatomy", photo: np.ndarray, moment: Moment, look: Look) -> Figure:
    """Draw the decoder at one word: what it reads, how the photo comes in, and what it predicts.

    Args:
        anatomy: the model's parts and shapes.
        photo: as the encoder sees it, uint8 `(S, S, 3)`.
        moment: what is being written.
        look: colours and sizes.
    """
    made, axes = _empty(look, _INCHES)
    last = moment.before[-1] if moment.before else "(begin)"
    boxes = [
        ("word before", f"“{last}”", anatomy.tensor("word vector").size),
        ("LSTM", "reads, remembers", anatomy.tensor("LSTM state").size),
        *_meeting(anatomy),
        ("next word", _predicted(moment), f"1 of {anatomy.tensor('word scores').size}"),
    ]
    left, wide, high = 38.0, 46.0, 15.0
    floors = [float(floor) for floor in np.linspace(83, 2, len(boxes))]
    for number, ((name, inside, size), floor) in enumerate(zip(boxes, floors, strict=True)):
        edge = look.accent if name in ("LSTM", "next word") else look.border
        axes.add_patch(_box(left, floor, wide, high, look, edge))
        x, middle = left + wide / 2, floor + high / 2
        axes.text(x, middle + 4.2, name, ha="center", va="center", fontweight="bold")
        fitting = _fitting(inside, wide, look)
        axes.text(x, middle, inside, ha="center", va="center", fontsize=fitting)
        axes.text(x, middle - 4.2, size, ha="center", va="center", color=look.muted)
        if number:
            _arrow(axes, (x, floors[number - 1] - 0.8), (x, floor + high + 0.8), look)
    right, first, end = left + wide, floors[0] + high / 2, floors[-1] + high / 2
    _bent(axes, [(right + 0.8, end), (93, end), (93, first), (right + 0.8, first)], look)
    axes.text(96.5, (first + end) / 2, "is read next", rotation=270, ha="center", va="center",
              color=look.muted)  # fmt: skip
    _photo_in(axes, anatomy, photo, moment, floors, look)
    return made


def _photo_in(
    axes: Axes,
    anatomy: "Anatomy",
    photo: np.ndarray,
    moment: Moment,
    floors: Sequence[float],
    look: Look,
) -> None:
    """Draw the photo's regions at the left, and where they come to the words."""
    side, x, edge = 24.0, 2.0, 38.0 - 0.8
    lstm, meeting = floors[1] + 7.5, floors[2] + 7.5
    y = (meeting if anatomy.kind != "inject" else lstm) - side / 2
    features = anatomy.tensor("features")
    if len(features.shape) == 2:
        _show(axes, photo, x, y, side)
        _cut(axes, anatomy, moment, x, y, side)
    else:
        axes.add_patch(_box(x + side / 2 - 3, y, 6, side, look, look.accent))
    name = "regions" if len(features.shape) == 2 else "features"
    axes.text(x + side / 2, y - 3, name, ha="center", va="center", fontweight="bold")
    axes.text(x + side / 2, y - 7, features.size, ha="center", va="center", color=look.muted)
    _arrow(axes, (x + side + 0.6, y + side / 2), (edge, y + side / 2), look)
    if anatomy.kind == "attention":
        _bent(axes, [(x + side / 2, y + side + 0.6), (x + side / 2, lstm), (edge, lstm)], look)
        axes.text(x, lstm + 2.5, "mean of regions", ha="left", va="center", color=look.muted)
    elif anatomy.kind == "inject":
        axes.text(x, y + side + 2.5, "as first state", ha="left", va="center", color=look.muted)


def _meeting(anatomy: "Anatomy") -> list[tuple[str, str, str]]:
    """Return the box in which photo and words meet after the LSTM, if this kind has one."""
    if anatomy.kind == "attention":
        size = anatomy.tensor("attention weights").size
        return [("attention", "looks at regions", f"{size} weights")]
    if anatomy.kind == "merge":
        return [("merge", "adds the photo", anatomy.tensor("photo memory").size)]
    return []


def _fitting(text: str, wide: float, look: Look) -> float:
    """Return the size in points at which `text` fits into a box, at most the usual one."""
    room = 0.94 * wide / _SIDE * _INCHES * 72
    return min(look.font_size, room / (_EM * max(len(text), 1)))


def _predicted(moment: Moment) -> str:
    if moment.word is None:
        return "?"
    return f"“{moment.word}” {100 * moment.share:.0f}%"


def _clipped(values: np.ndarray | None) -> np.ndarray:
    """Return a map without its outliers, which would dominate its colours."""
    values = np.zeros((1, 1)) if values is None else values
    clipped: np.ndarray = np.clip(values, *np.percentile(values, (2, 98)))
    return clipped


def _cut(axes: Axes, anatomy: "Anatomy", moment: Moment, x: float, y: float, side: float) -> None:
    """Draw the regions of a photo as a grid, and darken those with little attention."""
    if moment.attention is not None:
        veil = 1 - moment.attention / max(float(moment.attention.max()), 1e-9)
        cover = np.zeros((*veil.shape, 4))
        cover[..., 3] = 0.78 * veil
        _show(axes, cover, x, y, side)
    rows = round(anatomy.tensor("features").shape[0] ** 0.5)
    for n in range(rows + 1):
        place = n * side / rows
        axes.plot([x, x + side], [y + place] * 2, color="#808080", lw=0.5)
        axes.plot([x + place] * 2, [y, y + side], color="#808080", lw=0.5)


def _empty(look: Look, inches: float) -> tuple[Figure, Axes]:
    made = figure(look, inches, inches, tight=False)
    axes = made.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, _SIDE), ylim=(0, _SIDE), aspect="equal")
    axes.axis("off")
    return made, axes


def _show(
    axes: Axes, values: np.ndarray, x: float, y: float, side: float, cmap: str | None = None
) -> None:
    axes.imshow(
        values, extent=(x, x + side, y, y + side), cmap=cmap, aspect="auto", interpolation="nearest"
    )
    axes.set(xlim=(0, _SIDE), ylim=(0, _SIDE), aspect="equal")


def _label(axes: Axes, x: float, y: float, name: str, size: str, look: Look) -> None:
    axes.text(x, y + 2, name, ha="center", va="center", fontweight="bold")
    axes.text(x, y - 2, size, ha="center", va="center", color=look.muted)


def _box(x: float, y: float, wide: float, high: float, look: Look, edge: str) -> FancyBboxPatch:
    return FancyBboxPatch(
        (x, y),
        wide,
        high,
        boxstyle="round,pad=0,rounding_size=1.2",
        facecolor=look.panel,
        edgecolor=edge,
        linewidth=1.4,
    )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], look: Look) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": look.text, "lw": 1.3}
    )


def _bent(axes: Axes, way: Sequence[tuple[float, float]], look: Look) -> None:
    xs, ys = zip(*way[:-1], strict=True)
    axes.plot(xs, ys, color=look.text, lw=1.3, solid_joinstyle="round")
    _arrow(axes, way[-2], way[-1], look)
