"""New run: choose what to train and how, see what it needs, and start it."""

import streamlit as st

from captioning.errors import CaptioningError
from captioning.runs import estimate_run
from captioning.storage import data_folder
from pages.train.cache import own_presets, sizes_of, start_run
from pages.train.form import choose_base, edit_config, show_needs, show_time
from pages.train.tutorial_files import bring_files
from pages.ui.components import main_button, problem, prose, show_source
from pages.ui.rights import is_teacher

st.header("New run", anchor=False)
prose("train-new")

shown, start, rest = st.container(), st.container(), st.container()
try:
    with shown:
        own = own_presets()
        if not own and is_teacher():
            st.page_link(
                "pages/explore/data.py",
                label="Train on your own photos: first add their folder",
                icon=":material/add_photo_alternate:",
            )
        base, origin = choose_base("new", own)
        config = edit_config("new", base, origin, rest)
    needs = estimate_run(config, sizes_of(config), data_folder())
except CaptioningError as error:
    with start:
        problem(error)
    bring_files("new")
    st.stop()

with start, st.container(horizontal=True, vertical_alignment="bottom"):
    asked = st.button(
        **main_button("Start training"),
        icon=":material/play_arrow:",
        disabled=bool(needs.problems),
        key="new.start",
    )
    note = st.text_input(
        "Why this run",
        key="new.note",
        placeholder="What is different this time?",
        label_visibility="collapsed",
        width=320,
    )
with start:
    show_time(needs)
with rest:
    show_needs(needs)
    show_source("captioning.runs.estimate", "estimate_run")
    bring_files("new")
if asked:
    try:
        run = start_run(config, note)
    except CaptioningError as error:
        problem(error)
        st.stop()
    st.switch_page("pages/train/watch.py", query_params={"watch.run": run.id})
