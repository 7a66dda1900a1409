"""Comparing photos by what a model's encoder sees in them, instead of by colours."""

import streamlit as st

from captioning.analysis.similarity import open_likeness
from pages.ui import cache
from pages.ui.datasets import Explored, with_progress
from pages.ui.progress import features_of

__all__ = ["offer_encoder"]


def offer_encoder(page: str, explored: Explored) -> None:
    """Offer to look at all photos with the default model's encoder, and compare what it saw.

    Raises:
        CaptioningError: the model cannot be loaded, or features cannot be written.
    """
    models = cache.models()
    if not models or not st.toggle(
        "Compare what the photos show, not their colours",
        key=f"{page}.by_encoder",
        help="The encoder of the default model looks at each photo once; that is kept.",
    ):
        return
    bundle = next(iter(models.values()))
    if features_of(page, explored.dataset, bundle) is None:
        return
    explored.likeness = with_progress(
        "Comparing the photos…", lambda told: open_likeness(explored.dataset, on_progress=told)
    )
    st.rerun()
