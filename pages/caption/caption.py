"""Caption: add a photo and read what the model says about it."""

import streamlit as st

from pages.caption.details import choose_one, show_details
from pages.ui import cache, state
from pages.ui.captions import check_link, choose_settings, show_captions, show_model
from pages.ui.components import prose, show_source
from pages.ui.photos import (
    brought_photos,
    choose_source,
    name_in_link,
    offer_photos,
    offer_samples,
)
from pages.ui.wording import counted

_MANY = "pages/library/many.py"
_WAYS = (
    (_MANY, "Caption many photos", "photo_album"),
    ("pages/explore/gallery.py", "Explore the data", "photo_library"),
    ("pages/learn/learn.py", "Learn how it works", "school"),
    ("pages/train/new.py", "Train a model", "model_training"),
)


def _lead_on() -> None:
    """Say what the app does, and lead to its other sections."""
    st.space("small")
    prose("caption")
    with st.container(horizontal=True, gap="small"):
        for page, label, icon in _WAYS:
            st.page_link(page, label=label, icon=f":material/{icon}:")


def _lead_to_many() -> None:
    """Lead to Many photos, and say how many photos were too many here."""
    left_out = st.session_state.get("caption.left_out", 0)
    if left_out:
        st.caption(f"{counted(left_out, 'photo')} more than this page can show were left out.")
    st.page_link(
        _MANY,
        label="Caption all of them in Many photos",
        icon=":material/photo_album:",
    )


models = cache.models()
if not models:
    st.header("Caption a photo", anchor=False)
    prose("no-model")
    st.stop()
check_link("caption", models)

# The caption is above the place for the next photo.
pictures = brought_photos("caption")
answer, controls = st.container(), st.container()
with controls:
    zone = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        source = choose_source("caption")
        about = st.container(width="content")
        bundle, decoding = choose_settings("caption", models)
        if about.button("About the model", type="tertiary", key="caption.about"):
            show_model(bundle)
    with zone:
        offer_photos("caption", source)
    offer_samples("caption", source)

with answer:
    if not pictures:
        st.header("Caption a photo", anchor=False)
    written = show_captions(pictures, bundle, decoding)
    if len(pictures) > 1:
        _lead_to_many()
    chosen = choose_one("caption", written)
    if chosen is not None:
        picture, caption = chosen
        state.remember_captioned(picture, name_in_link("caption"), bundle.name)
        show_details("caption", picture, models, bundle, caption)
if written:
    show_source(
        "captioning.captioner",
        "Captioner.encode",
        "Captioner.trace",
        "Captioner.rank",
        "Captioner.with_neutral_words",
    )
if not pictures:
    _lead_on()
    cache.get_ready(bundle)
