"""Home: what this is, and where to begin."""

import streamlit as st

from pages.shared.components import prose

with st.container(width=640):
    prose("home")
    if st.button(
        "Caption a photo", type="primary", icon=":material/photo_camera:", key="home.caption"
    ):
        st.switch_page("pages/caption/caption.py")
