"""Get data: what is at hand, fetching Flickr8k, or naming a folder."""

import streamlit as st

from pages.explore.download import fetch, folder_form, list_data, report_on
from pages.ui.components import prose, show_source
from pages.ui.datasets import choose_data

st.header("Get data", anchor=False)
prose("explore-data")
fetch("data")
folder_form("data")
st.subheader("At hand", anchor=False)
list_data()
report_on("data", choose_data(here=True))
show_source("captioning.datasets.loading", "load")
