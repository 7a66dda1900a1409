"""Pictures of word vectors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from pages.shared.learning.look import Look, figure

if TYPE_CHECKING:
    from captioning.teaching.embeddings import WordMap

__all__ = ["draw_map", "draw_vector"]


def draw_map(found: "WordMap", marked: Sequence[str], look: Look) -> Figure:
    """Draw words at their places; the marked ones stand out by size and weight, not colour alone.

    Args:
        found: words and places.
        marked: the first is the word asked for, the others its neighbours.
        look: colours and sizes.
    """
    made = figure(look, 8, 5.8, tight=False)
    axes = made.add_axes((0.09, 0.1, 0.9, 0.88))
    axes.scatter(found.places[:, 0], found.places[:, 1], s=6, color=look.border)
    beside = axes.transData + ScaledTranslation(3 / 72, 2 / 72, made.dpi_scale_trans)
    for word, (x, y) in zip(found.words, found.places, strict=True):
        strong = word in marked
        axes.text(
            x,
            y,
            word,
            transform=beside,
            color=look.accent if strong else look.muted,
            fontweight="bold" if strong else "normal",
            fontsize=look.font_size * (1.1 if word == marked[0] else 0.9 if strong else 0.75),
            zorder=3 if strong else 2,
        )
    axes.set_xlabel(f"first direction: {100 * found.shares[0]:.0f}% of all differences")
    axes.set_ylabel(f"second: {100 * found.shares[1]:.0f}%")
    axes.margins(0.08)
    return made


def draw_vector(words: Sequence[str], vectors: np.ndarray, look: Look) -> Figure:
    """Draw word vectors as rows of coloured cells, one row a word.

    Args:
        words: which.
        vectors: `(N, E)`.
        look: colours and sizes.
    """
    high = 0.8 + 0.3 * len(words)
    made = figure(look, 8, high, tight=False)
    label = 0.012 * max(map(len, words)) * look.font_size / 10
    axes = made.add_axes((label + 0.02, 0.6 / high, 0.9 - label, 1 - 0.7 / high))
    beside = made.add_axes((0.935, 0.6 / high, 0.012, 1 - 0.7 / high))
    limit = float(np.abs(vectors).max()) or 1.0
    drawn = axes.imshow(vectors, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_yticks(range(len(words)), words)
    axes.set_xlabel("the numbers of each word, in order")
    made.colorbar(drawn, cax=beside)
    return made
