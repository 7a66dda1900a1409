"""How similar photos are: by their colours, or by what a model's encoder sees in them."""

import streamlit as st

from captioning.analysis.similarity import Likeness, kept_likeness, open_likeness
from pages.ui import cache
from pages.ui.datasets import Explored, fitting_models, with_progress
from pages.ui.progress import features_of

__all__ = ["likeness_of", "offer_encoder"]

_FEW = 500
"""Up to this many photos are compared without asking first."""


def likeness_of(page: str, explored: Explored) -> Likeness | None:
    """Return how similar the photos are; asks first if that takes long."""
    dataset = explored.dataset
    explored.likeness = explored.likeness or kept_likeness(dataset)
    if explored.likeness is not None:
        return explored.likeness
    place = st.empty()
    with place.container():
        st.caption(f"{len(dataset):,} photos have to be compared once.")
        if len(dataset) > _FEW and not st.button("Compare the photos", key=f"{page}.compare"):
            return None
        explored.likeness = with_progress(
            "Reading the photos…", lambda report: open_likeness(dataset, on_progress=report)
        )
    place.empty()
    return explored.likeness


def offer_encoder(page: str, explored: Explored) -> None:
    """Offer to encode all photos with the model that fits them, and compare the features.

    Raises:
        CaptioningError: the model cannot be loaded, or features cannot be written.
    """
    models = cache.models()
    if not models or not st.toggle(
        "Compare what the photos show, not their colours",
        key=f"{page}.by_encoder",
        help="The encoder of a model reads each photo once; the result is kept.",
    ):
        return
    bundle = next(iter(fitting_models(models, explored).values()))
    if features_of(page, explored.dataset, bundle) is None:
        return
    explored.likeness = with_progress(
        "Comparing the photos…", lambda report: open_likeness(explored.dataset, on_progress=report)
    )
    st.rerun()
