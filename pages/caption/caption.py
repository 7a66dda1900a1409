"""Caption: bring a photo, read what the model says it shows."""

import streamlit as st

from pages.caption.details.tabs import look_closer
from pages.ui import cache
from pages.ui.captions import check_link, choose_settings, show_captions, show_model
from pages.ui.components import prose, show_source
from pages.ui.photos import bring_photos, choose_source

st.header("Caption a photo", anchor=False)
prose("caption")

models = cache.models()
if not models:
    prose("no-model")
    st.stop()
check_link("caption", models)

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    source = choose_source("caption")
    with st.container(horizontal=True, width="content"):
        about = st.container(width="content")
        bundle, decoding = choose_settings("caption", models)
        if about.button("About the model", type="tertiary", key="caption.about"):
            show_model(bundle)

pictures = bring_photos("caption", source)
written = show_captions(pictures, bundle, decoding)

if len(pictures) == len(written) == 1:
    look_closer("caption", pictures[0], models, bundle, written[0])
if written:
    show_source("captioning.captioner", "Captioner.encode", "Captioner.trace", "Captioner.rank")
