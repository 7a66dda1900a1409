"""Compare: runs next to each other, and what to do with the best one."""

import streamlit as st

from captioning.errors import CaptioningError
from captioning.runs import compare_runs
from pages.train import comparison as comparing
from pages.train.cache import all_runs, choose_run, choose_runs, no_runs
from pages.train.tutorial_files import offer_files
from pages.ui.components import problem, prose, show_source

st.header("Compare", anchor=False)
prose("train-compare")

runs = all_runs()
if not runs.all():
    no_runs("compare")
    comparing.show_published("compare")
    offer_files("compare")
    st.stop()

try:
    chosen = choose_runs("compare", runs)
    if not chosen:
        st.caption("Choose one run or more.")
        st.stop()
    comparison = compare_runs(chosen)
    comparing.show_table(comparison)
    comparing.show_chart("compare", comparison)
    st.subheader("Keep one", anchor=False)
    run = runs.get(choose_run("compare", runs, chosen))
    comparing.show_downloads("compare", run)
    comparing.show_model("compare", runs, run)
    comparing.show_published("compare")
    offer_files("compare", run)
    show_source("captioning.runs.curves", "compare_runs")
except CaptioningError as error:
    problem(error)
