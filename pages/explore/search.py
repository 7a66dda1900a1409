"""Search: captions by words, phrases and forms."""

import streamlit as st

from captioning.analysis.search import find
from captioning.errors import CaptioningError
from pages.ui.cache import timed
from pages.ui.components import problem, prose, show_source
from pages.ui.datasets import Explored, caption_rows, choose_data
from pages.ui.wording import milliseconds

SENTENCE = "Photos for a sentence"


def by_query(explored: Explored, query: str) -> None:
    """Show the captions a query finds."""
    label = "Other forms of the words too (run: runs, running)"
    forms = st.toggle(label, key="search.forms", bind="query-params")
    index = explored.index
    found, duration = timed(lambda: find(index, query, forms=forms))
    captions, photos = len(found.captions), len(found.photos)
    st.caption(f"**{captions:,} captions** of **{photos:,} photos** in {milliseconds(duration)}.")
    if not captions:
        st.info("No caption fits. Try fewer words, or their other forms.")
    caption_rows("search.page", explored, found)


def to_find() -> None:
    """Open Find photos for a link to what used to be a part of this page."""
    if st.query_params.get("search.way") == SENTENCE:
        sentence = st.query_params.get("search.query") or ""
        st.switch_page("pages/library/find.py", query_params={"find.sentence": sentence})


to_find()
st.header("Search", anchor=False)
prose("explore-search")
explored = choose_data()
query = st.text_input(
    "Look for",
    placeholder='"a red" (dog OR ball) NOT grass',
    key="search.query",
    bind="query-params",
)
try:
    if query.strip():
        by_query(explored, query)
        show_source("captioning.analysis.search", "find")
    else:
        prose("explore-search-help")
except CaptioningError as error:
    problem(error)
st.page_link(
    "pages/library/find.py", label="Find photos for a sentence", icon=":material/image_search:"
)
