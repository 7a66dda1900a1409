"""Many photos: caption hundreds of photos, correct the table by hand, and download it."""

import streamlit as st

from pages.library.table import caption_photos, correct_rows, download
from pages.library.upload import bring_album
from pages.library.workspace import open_workspace
from pages.ui import cache
from pages.ui.captions import check_link, choose_settings
from pages.ui.components import prose, show_source

st.header("Many photos", anchor=False)
prose("many")

models = cache.models()
if not models:
    prose("no-model")
    st.stop()
check_link("many", models)

bundle, decoding = choose_settings("many", models)
workspace = open_workspace("many")
album = bring_album("many")
caption_photos("many", album, workspace, bundle, decoding)
rows = correct_rows("many", workspace, album)
if rows:
    download("many", rows)
    show_source("captioning.batch.captioning", "caption_album")
