"""Caption: add a photo and read what the model says about it."""

import streamlit as st

from pages.caption.details import choose_one, show_details
from pages.caption.ways import show_way_to_many, show_ways
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
        show_way_to_many("caption")
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
    show_ways()
    cache.get_ready(bundle)
