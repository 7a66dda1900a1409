"""Pictures of word vectors."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from pages.learn.figures import figure
from pages.ui.theme import Look

if TYPE_CHECKING:
    from captioning.lessons.words import WordMap

_EM = 0.66  # width of a letter, in sizes of its type
_FAR = 20.0  # points from which a word is joined to its place by a line


def draw_map(found: "WordMap", marked: Sequence[str], look: Look) -> Figure:
    """Draw words at their places; the marked ones are larger and bold, not only coloured.

    A word is written next to its point, or where there is room near it; without room, only the
    point is drawn.

    Args:
        found: words and places.
        marked: the first is the word asked for, the others its neighbours.
        look: colours and sizes.
    """
    wide, high, big = 5.6, 5.6, look.font_size
    made = figure(look, wide, high, tight=False)
    left, below = 0.0107 * big, 0.009 * big
    axes = made.add_axes((left, below, 0.99 - left, 0.98 - below))
    axes.set_xlabel(f"first direction: {100 * found.shares[0]:.0f}% of all differences")
    axes.set_ylabel(f"second: {100 * found.shares[1]:.0f}%")
    axes.scatter(found.places[:, 0], found.places[:, 1], s=6, color=look.border)
    axes.margins(0.08)
    axes.autoscale_view()  # matplotlib would do it later, and the points below would be elsewhere
    points = axes.transData.transform(found.places) / made.dpi * 72
    order = {word: place for place, word in enumerate(found.words)}
    taken = _Taken(right=72 * wide, top=72 * high)
    for word in [*marked, *(word for word in found.words if word not in marked)]:
        strong = word in marked
        size = big * (1.1 if word == marked[0] else 0.9 if strong else 0.75)
        x, y = points[order[word]]
        shift = taken.room_near(x, y, _EM * size * len(word), 1.1 * size, far=strong)
        if shift is None:
            continue
        axes.annotate(
            word,
            found.places[order[word]],
            xytext=shift,
            textcoords="offset points",
            color=look.accent if strong else look.muted,
            fontweight="bold" if strong else "normal",
            fontsize=size,
            zorder=3 if strong else 2,
            arrowprops=_leader(shift, look),
        )
    return made


def _leader(shift: tuple[float, float], look: Look) -> dict[str, object] | None:
    """Return how to draw the line from a word to its point, if it is far away."""
    if abs(shift[1]) < _FAR:
        return None
    return {"arrowstyle": "-", "color": look.border, "lw": 0.6, "shrinkA": 0, "shrinkB": 2}


class _Taken:
    """Room on a map that words have taken, in points."""

    def __init__(self, right: float, top: float) -> None:
        self.right, self.top = right, top
        self.boxes: list[tuple[float, float, float, float]] = []

    def room_near(
        self, x: float, y: float, wide: float, high: float, *, far: bool
    ) -> tuple[float, float] | None:
        """Take room for a word near its point; gives the shift of its lower left corner."""
        rows = range(12 if far else 2)
        ups = [0.15 * high + sign * row * high for row in rows for sign in (1, -1)]
        for up in ups:
            for along in (3.0, -3.0 - wide):
                box = (x + along, y + up, x + along + wide, y + up + high)
                inside = box[0] > 0 and box[1] > 0 and box[2] < self.right and box[3] < self.top
                if inside and not any(map(partial(_overlap, box), self.boxes)):
                    self.boxes.append(box)
                    return along, up
        return None


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def draw_vector(words: Sequence[str], vectors: np.ndarray, look: Look) -> Figure:
    """Draw word vectors as rows of coloured cells, one row a word.

    Args:
        words: which.
        vectors: `(N, E)`.
        look: colours and sizes.
    """
    high = 0.8 + 0.3 * len(words)
    made = figure(look, 5.6, high, tight=False)
    label = 0.017 * max(map(len, words)) * look.font_size / 10
    scale = 0.0079 * look.font_size  # room for the numbers of the scale
    axes = made.add_axes((label + 0.02, 0.6 / high, 0.95 - scale - label, 1 - 0.7 / high))
    scale_axes = made.add_axes((0.985 - scale, 0.6 / high, 0.012, 1 - 0.7 / high))
    limit = float(np.abs(vectors).max()) or 1.0
    drawn = axes.imshow(vectors, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_yticks(range(len(words)), words)
    axes.set_xlabel("the numbers of each word, in order")
    made.colorbar(drawn, cax=scale_axes)
    return made
