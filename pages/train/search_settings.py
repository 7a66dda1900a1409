"""Search settings: let short runs try values for a few fields, and see which did well."""

import streamlit as st

from captioning.errors import CaptioningError
from pages.shared.components import main_button, problem, prose, show_source
from pages.shared.training import searching, searching_results


def watch(name: str) -> None:
    """Show how a search stands; while it is under way, only this part is drawn again."""
    try:
        searching_results.show_study("search_settings", name)
    except CaptioningError as error:
        problem(error)


st.header("Search settings", anchor=False)
prose("train-search")

try:
    studies = searching.all_studies()
    with searching.room_for_a_new_one(studies):
        config = searching.edit_study("search_settings")
        searching.show_cost(config)
        if st.button(
            **main_button("Start the search"),
            icon=":material/play_arrow:",
            key="search_settings.start",
        ):
            searching.begin("search_settings", studies, config)
    name = searching.choose_study("search_settings", studies)
except CaptioningError as error:
    problem(error)
    name = None

if name:
    st.fragment(watch, run_every=searching.look_again(studies, name))(name)
show_source("captioning.studies.proposals", "propose")
