"""Get data: download Flickr8k, add a folder, and see which data sets there are."""

import streamlit as st

from pages.explore.download import fetch, folder_form, list_data, report_on
from pages.ui.components import prose, show_source
from pages.ui.datasets import choose_data

st.header("Get data", anchor=False)
prose("explore-data")
fetch("data")
folder_form("data")
st.subheader("Data sets here", anchor=False)
list_data()
report_on("data", choose_data(here=True))
show_source("captioning.datasets.loading", "load")
