"""Watch: the progress of a run, and its controls."""

import streamlit as st

from captioning.errors import CaptioningError
from pages.train import finished, run_view
from pages.train.cache import all_runs, choose_run, no_runs
from pages.ui.components import problem, prose, show_source

EVERY_SECONDS = 1.5


@st.fragment(run_every=EVERY_SECONDS)
def watch(name: str, *, live: bool) -> None:
    """Show the run; only this part is drawn again, and only in this session."""
    try:
        run_view.show_run("watch", name, was_live=live)
    except CaptioningError as error:
        problem(error)


st.header("Watch", anchor=False)
prose("train-watch")

runs = all_runs()
if not runs.all():
    no_runs("watch")
    st.stop()

name = choose_run("watch", runs)
run = runs.get(name)
if run.has_model and not run.live:
    finished.show_result("watch", runs, run)
watch(name, live=run.live)
run_view.show_note("watch", runs, name)
show_source("captioning.runs.curves", "read_curves")
