"""Many photos: caption hundreds of photos, correct the table by hand, and download it."""

import streamlit as st

from pages.library.table import caption_photos, correct_rows, download
from pages.library.workspace import bring_album, open_workspace
from pages.ui.components import show_source
from pages.ui.settings import choose_settings, open_page

models = open_page("many", "Many photos")
workspace = open_workspace("many")
# Once there are captions, they are above the place for more photos.
before, work, after = st.container(), st.container(), st.container()
with after if workspace.table.rows else before:
    bundle, decoding = choose_settings("many", models)
    album = bring_album("many")
    caption_photos("many", album, workspace, bundle, decoding)
with work:
    rows = correct_rows("many", workspace, album)
    if rows:
        download("many", rows)
if rows:
    show_source("captioning.batch.captioning", "caption_album")
