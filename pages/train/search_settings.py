"""Search settings: short runs try values for a few fields, and the page shows the best."""

import streamlit as st

from captioning.errors import CaptioningError
from pages.train import tuning, tuning_results
from pages.ui.components import main_button, problem, prose, show_source
from pages.ui.rights import is_teacher


def watch(name: str) -> None:
    """Show a search; while it is under way, only this part is drawn again."""
    try:
        tuning_results.show_study("search_settings", name)
    except CaptioningError as error:
        problem(error)


st.header("Search settings", anchor=False)
prose("train-search")

try:
    studies = tuning.all_studies()
    if not is_teacher():
        st.caption("The teacher can start a search: it takes many runs.")
    else:
        with tuning.form_container(studies):
            config = tuning.edit_study("search_settings")
            tuning.show_cost(config)
            if st.button(
                **main_button("Start the search"),
                icon=":material/play_arrow:",
                key="search_settings.start",
            ):
                tuning.begin("search_settings", studies, config)
    name = tuning.choose_study("search_settings", studies)
except CaptioningError as error:
    problem(error)
    name = None

if name:
    st.fragment(watch, run_every=tuning.seconds_between_updates(studies, name))(name)
    show_source("captioning.runs.store", "FolderStore.get")
