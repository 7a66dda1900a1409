"""Home: what this is, and where to begin."""

import streamlit as st

from pages.ui.components import main_button, prose

# Besides captioning: the first page of a section, what its link says, and what awaits there.
WAYS_IN = (
    (
        "pages/learn/overview/page.py",
        "Learn how it works",
        "school",
        "Nine lessons open the network on your own photo, from pixels to BLEU. Guess first, then "
        "look.",
    ),
    (
        "pages/explore/gallery.py",
        "Explore the data",
        "photo_library",
        "Photos, the captions that people wrote for them, and what a score makes of both.",
    ),
    (
        "pages/train/new.py",
        "Train a model",
        "model_training",
        "Start a run, watch it learn to write, change one thing and compare. The first takes two "
        "minutes.",
    ),
)

with st.container(width=960):
    prose("home")
    if st.button(
        **main_button("Caption a photo"), icon=":material/photo_camera:", key="home.caption"
    ):
        st.switch_page("pages/caption/caption.py")
    st.space("small")
    for place, (page, label, icon, awaits) in zip(st.columns(3), WAYS_IN, strict=True):
        with place.container(border=True, height="stretch"):
            st.page_link(page, label=f"**{label}**", icon=f":material/{icon}:")
            st.markdown(awaits)
