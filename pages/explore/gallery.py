"""Gallery: the photos of the data set, by split, page by page."""

import streamlit as st

from pages.ui.components import prose, show_source
from pages.ui.datasets import choose_data, choose_split, describe, photo_grid

st.header("Gallery", anchor=False)
prose("explore-gallery")

explored = choose_data()
split = choose_split("gallery", explored)
photos = explored.photos(split)
st.caption(f"{describe(explored.dataset)}. {len(photos):,} photos are shown here.")
photo_grid("gallery.page", explored, photos)
show_source("captioning.datasets.dataset", "CaptionDataset.split")
