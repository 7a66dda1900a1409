"""Many photos: bring hundreds, correct the table by hand, take it along."""

import streamlit as st

from pages.shared import cache
from pages.shared.captions import check_link, choose_settings
from pages.shared.components import prose, show_source
from pages.shared.depth.album import bring_album, caption_photos, correct_rows, take_along

st.header("Many photos", anchor=False)
prose("many")

models = cache.models()
if not models:
    prose("no-model")
    st.stop()
check_link("many", models)

bundle, decoding = choose_settings("many", models)
album = bring_album("many")
caption_photos("many", album, bundle, decoding)
rows = correct_rows("many", album)
if rows:
    take_along("many", rows)
    show_source("captioning.albums.batch", "caption_album")
