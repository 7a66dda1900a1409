"""The ways from the Caption page into the rest of the app."""

import streamlit as st

from pages.ui.components import prose
from pages.ui.wording import counted

_MANY = "pages/library/many.py"
_WAYS = (
    (_MANY, "Caption many photos", "photo_album"),
    ("pages/explore/gallery.py", "Explore the data", "photo_library"),
    ("pages/learn/learn.py", "Learn how it works", "school"),
    ("pages/train/new.py", "Train a model", "model_training"),
)


def show_ways() -> None:
    """Say what the app does, and lead to its other sections."""
    st.space("small")
    prose("caption")
    with st.container(horizontal=True, gap="small"):
        for page, label, icon in _WAYS:
            st.page_link(page, label=label, icon=f":material/{icon}:")


def show_way_to_many(page: str) -> None:
    """Lead to Many photos, and say how many photos were too many here."""
    left_out = st.session_state.get(f"{page}.left_out", 0)
    if left_out:
        st.caption(f"{counted(left_out, 'photo')} more than this page can show were left out.")
    st.page_link(
        _MANY,
        label="Caption all of them in Many photos",
        icon=":material/photo_album:",
    )
