"""Showing what a run will need before it is started."""

import streamlit as st

from captioning.runs import Estimate
from pages.train.run_view import clock
from pages.ui.wording import plain

__all__ = ["show_needs", "show_time"]


def show_time(needs: Estimate) -> None:
    """Say how long it will take, and what stands in the way of starting."""
    photos = f", on {needs.photos:,} training photos" if needs.photos else ""
    st.caption(f"About {clock(needs.seconds)} (minutes:seconds){photos}. It goes on by itself.")
    for text in needs.problems:
        st.error(plain(text), icon=":material/error:")


def show_needs(needs: Estimate) -> None:
    """Show time, photos, memory and disk."""
    st.subheader("What it will need", anchor=False)
    figures = {
        "Time, about": clock(needs.seconds),
        "Training photos": f"{needs.photos:,}",
        "Photos to encode first": f"{needs.to_encode:,}",
        "Memory": f"{needs.memory_bytes / 1e9:.1f} GB",
        "Disk": f"{needs.disk_bytes / 1e9:.2f} GB",
        "Numbers to learn": f"{needs.parameters / 1e6:.1f} M",
    }
    with st.grid(6, min_column_width=130):
        for name, value in figures.items():
            st.metric(name, value)
    basis = "runs on this machine" if needs.measured else "what one core of a laptop does"
    st.caption(f"The time is worked out from {basis}. One run trains at a time; others wait.")
