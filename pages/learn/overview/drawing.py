"""One picture of the whole model: the photo above, the sentence below, the word in the middle."""

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
    from captioning.lessons.tensor_shapes import Anatomy

__all__ = ["Moment", "draw_model"]

_WIDE, _HIGH = 100.0, 54.0
_INCHES = 10.0
_EM = 0.58  # width of a letter, in sizes of its type


@dataclass(frozen=True)
class Moment:
    """One word of the caption being written.

    Attributes:
        before: the words so far.
        word: the next one; None hides it, because it is to be guessed.
        share: its probability, 0 to 1.
        attention: where was looked for it, `(height, width)`; None if the model does not look.
    """

    before: Sequence[str]
    word: str | None
    share: float
    attention: np.ndarray | None


def draw_model(
    anatomy: "Anatomy",
    photo: np.ndarray,
    maps: Sequence[np.ndarray],
    moment: Moment,
    look: Look,
) -> Figure:
    """Draw the model at one word.

    Args:
        anatomy: the model's parts and shapes.
        photo: as the encoder sees it, uint8 `(S, S, 3)`.
        maps: the mean over channels of each of `anatomy.maps`, `(H, W)`.
        moment: what is being written.
        look: colours and sizes.
    """
    made = figure(look, _INCHES, 5.4, tight=False)
    axes = made.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, _WIDE), ylim=(0, _HIGH), aspect="equal")
    axes.axis("off")
    end = _draw_encoder(axes, anatomy, photo, maps, moment, look)
    _draw_decoder(axes, anatomy, moment, end, look)
    return made


def _draw_encoder(
    axes: Axes,
    anatomy: "Anatomy",
    photo: np.ndarray,
    maps: Sequence[np.ndarray],
    moment: Moment,
    look: Look,
) -> float:
    """Draw the upper row; return where the regions stand."""
    floor, side = 31.0, 17.0
    _show(axes, photo, 2, floor, side)
    _label(axes, 2 + side / 2, floor + side + 2.6, "photo", anatomy.tensor("pixels").size, look)
    shown = list(zip(anatomy.maps, maps, strict=True))[-4:]
    places = np.linspace(29, 67, len(shown))
    sizes = np.linspace(11, 6, len(shown))
    _arrow(axes, (2 + side + 0.6, floor + 8), (places[0] - sizes[0] / 2 - 0.8, floor + 8), look)
    for number, ((spec, values), x, size) in enumerate(zip(shown, places, sizes, strict=True)):
        clipped = np.clip(values, *np.percentile(values, (2, 98)))
        _show(axes, clipped, x - size / 2, floor + 8 - size / 2, size, cmap=look.heat)
        text = f"{spec.height}×{spec.width}\n×{spec.channels}"
        axes.text(x, floor + 8 - size / 2 - 1, text, ha="center", va="top", color=look.muted)
        if number:
            left = places[number - 1] + sizes[number - 1] / 2 + 0.8
            _arrow(axes, (left, floor + 8), (x - size / 2 - 0.8, floor + 8), look)
    _label(axes, 48, floor + side + 2.6, f"CNN encoder: {anatomy.encoder}", "", look)
    x = 79.0
    _arrow(axes, (places[-1] + sizes[-1] / 2 + 0.8, floor + 8), (x - 0.8, floor + 8), look)
    features = anatomy.tensor("features")
    name = "regions" if len(features.shape) == 2 else "features"
    _label(axes, x + 8, floor + side + 2.6, name, features.size, look)
    _show_regions(axes, anatomy, photo, moment, x, floor, look)
    return x + 8


def _show_regions(
    axes: Axes,
    anatomy: "Anatomy",
    photo: np.ndarray,
    moment: Moment,
    x: float,
    floor: float,
    look: Look,
) -> None:
    """Draw the photo cut into regions, bright where the model looks for this word."""
    side = 16.0
    shape = anatomy.tensor("features").shape
    if len(shape) == 1:
        axes.add_patch(_box(x + 6, floor, 4, side, look, look.accent))
        return
    rows = round(shape[0] ** 0.5)
    _show(axes, photo, x, floor, side)
    if moment.attention is not None:
        veil = 1 - moment.attention / max(float(moment.attention.max()), 1e-9)
        cover = np.zeros((*veil.shape, 4))
        cover[..., 3] = 0.78 * veil
        _show(axes, cover, x, floor, side)
    step = side / rows
    for n in range(rows + 1):
        axes.plot([x, x + side], [floor + n * step] * 2, color="#808080", lw=0.5)
        axes.plot([x + n * step] * 2, [floor, floor + side], color="#808080", lw=0.5)


def _draw_decoder(
    axes: Axes, anatomy: "Anatomy", moment: Moment, regions: float, look: Look
) -> None:
    """Draw the lower row, and how the photo comes into it."""
    floor, high = 6.0, 11.0
    middle = floor + high / 2
    last = moment.before[-1] if moment.before else "(begin)"
    boxes = [
        (2.0, "word before", f"“{last}”", anatomy.tensor("word vector").size),
        (25.0, "LSTM", "reads, keeps, says", anatomy.tensor("LSTM state").size),
        *_meeting(anatomy),
        (79.0, "next word", _said(moment), f"1 of {anatomy.tensor('word scores').size}"),
    ]
    wide = 18.0
    for number, (x, name, inside, size) in enumerate(boxes):
        edge = look.accent if name in ("LSTM", "next word") else look.border
        axes.add_patch(_box(x, floor, wide, high, look, edge))
        axes.text(x + wide / 2, middle + 2.6, name, ha="center", va="center", fontweight="bold")
        size_of_type = _fitting(inside, wide, look)
        axes.text(
            x + wide / 2, middle - 0.4, inside, ha="center", va="center", fontsize=size_of_type
        )
        axes.text(x + wide / 2, middle - 3.4, size, ha="center", va="center", color=look.muted)
        if number:
            _arrow(axes, (boxes[number - 1][0] + wide + 0.7, middle), (x - 0.7, middle), look)
    _enter(axes, anatomy.kind, boxes, wide, floor + high, regions, look)
    way = [(88, floor - 0.6), (88, 2.6), (11, 2.6), (11, floor - 0.8)]
    _bent(axes, way, look)
    axes.text(49.5, 4.3, "the word said is read next", ha="center", va="center", color=look.muted)


def _meeting(anatomy: "Anatomy") -> list[tuple[float, str, str, str]]:
    """Return the box in which photo and words meet after the LSTM, if this kind has one."""
    if anatomy.kind == "attention":
        size = anatomy.tensor("attention weights").size
        return [(52.0, "attention", "looks at regions", f"{size} weights")]
    if anatomy.kind == "merge":
        return [(52.0, "merge", "adds the photo", anatomy.tensor("photo memory").size)]
    return []


def _enter(
    axes: Axes,
    kind: str,
    boxes: list[tuple[float, str, str, str]],
    wide: float,
    top: float,
    regions: float,
    look: Look,
) -> None:
    """Draw how the photo comes to the words."""
    turn = 24.0
    lstm, meeting = boxes[1][0] + wide / 2, boxes[2][0] + wide / 2
    if kind in ("attention", "merge"):
        _bent(axes, [(regions, 30.4), (regions, turn), (meeting, turn), (meeting, top + 0.8)], look)
    if kind in ("attention", "inject"):
        start = (regions, 30.4) if kind == "inject" else (meeting, turn)
        _bent(axes, [start, (start[0], turn), (lstm, turn), (lstm, top + 0.8)], look)
        text = "mean of the regions" if kind == "attention" else "the photo as first state"
        axes.text(lstm + 1, turn + 1.2, text, ha="left", va="center", color=look.muted)


def _fitting(text: str, wide: float, look: Look) -> float:
    """Return the size in points at which `text` fits into a box, at most the usual one."""
    room = 0.94 * wide / _WIDE * _INCHES * 72
    return min(look.font_size, room / (_EM * max(len(text), 1)))


def _said(moment: Moment) -> str:
    if moment.word is None:
        return "?"
    return f"“{moment.word}” {100 * moment.share:.0f}%"


def _show(
    axes: Axes, values: np.ndarray, x: float, y: float, side: float, cmap: str | None = None
) -> None:
    axes.imshow(
        values, extent=(x, x + side, y, y + side), cmap=cmap, aspect="auto", interpolation="nearest"
    )
    axes.set(xlim=(0, _WIDE), ylim=(0, _HIGH), aspect="equal")


def _label(axes: Axes, x: float, y: float, name: str, size: str, look: Look) -> None:
    axes.text(x, y + 0.6, name, ha="center", va="center", fontweight="bold")
    axes.text(x, y - 1.6, size, ha="center", va="center", color=look.muted)


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
