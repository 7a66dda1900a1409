"""Pictures of the lesson on limits."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from pages.learn.figures import figure
from pages.ui.theme import Look

if TYPE_CHECKING:
    from captioning.explain import Evidence

__all__ = ["draw_evidence"]

END = "(end)"


def draw_evidence(words: "Sequence[Evidence]", look: Look) -> Figure:
    """Draw each word's probability with the photo and without it."""
    made = figure(look, 5.4, 0.6 + 0.5 * len(words))
    axes = made.subplots()
    rows = range(len(words))
    seen = [100 * math.exp(word.seen) for word in words]
    blank = [100 * math.exp(word.blank) for word in words]
    axes.barh([r - 0.2 for r in rows], seen, 0.36, color=look.accent, label="with the photo")
    axes.barh(
        [r + 0.2 for r in rows],
        blank,
        0.36,
        facecolor=look.ground,
        edgecolor=look.text,
        hatch="///",
        label="with a grey one",
    )
    axes.set_yticks(list(rows), [word.word or END for word in words])
    axes.set_xlim(0, 100)
    axes.set_xlabel("probability of the word, %")
    axes.invert_yaxis()
    made.legend(loc="outside upper right", ncols=2, frameon=False)
    return made
