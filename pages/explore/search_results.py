"""Photos found by a sentence, with the words that found them; and how long finding took."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from captioning.analysis.ranking import Hit
from pages.ui.datasets import Explored
from pages.ui.photo_grid import photo_grid
from pages.ui.wording import plain

__all__ = ["show_hits", "spoken", "timed"]

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Do `work` and return its result and the seconds it took."""
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def spoken(duration: float) -> str:
    """Write a short duration as people say it.

    >>> spoken(0.0004), spoken(0.0123)
    ('under 1 ms', '12 ms')
    """
    return f"{1000 * duration:.0f} ms" if duration >= 0.001 else "under 1 ms"


def show_hits(explored: Explored, hits: Sequence[Hit]) -> None:
    """Show the photos a sentence found, each with the words that speak for it."""
    if not hits:
        st.info("No photo shares a word with this sentence. Try commoner words.")
        return

    def why(place: int) -> str:
        best = hits[place].words[:3]
        return ", ".join(f"**{plain(word)}** {added:.1f}" for word, added in best)

    photo_grid("search.hits", explored, [hit.photo for hit in hits], note=why)
