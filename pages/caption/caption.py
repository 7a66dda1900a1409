"""Caption: add a photo and read what the model says about it."""

import streamlit as st

from pages.caption.details import choose_one, show_details
from pages.ui import cache
from pages.ui.captions import show_captions
from pages.ui.components import prose, show_source
from pages.ui.photos import (
    brought_photos,
    choose_source,
    offer_photos,
    offer_samples,
    remember_captioned,
    say_left_out,
)
from pages.ui.settings import check_link, choose_settings, show_model

MANY = "pages/library/many.py"
WAYS = (
    (MANY, "Caption many photos", "photo_album"),
    ("pages/explore/gallery.py", "Explore the data", "photo_library"),
    ("pages/learn/learn.py", "Learn how it works", "school"),
    ("pages/train/new.py", "Train a model", "model_training"),
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
        say_left_out("caption")
        label = "Caption all of them in Many photos"
        st.page_link(MANY, label=label, icon=":material/photo_album:")
    chosen = choose_one("caption", written)
    if chosen is not None:
        picture, caption = chosen
        remember_captioned("caption", picture, bundle.name)
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
    st.space("small")
    prose("caption")
    with st.container(horizontal=True, gap="small"):
        for page, label, icon in WAYS:
            st.page_link(page, label=label, icon=f":material/{icon}:")
    cache.fault(bundle)  # loads the model before the first photo, with which errors are shown
