"""Search: captions by words, phrases and forms; photos by a sentence."""

import streamlit as st

from captioning.analysis.search import find
from captioning.errors import CaptioningError
from pages.explore.search_results import show_hits, spoken, timed
from pages.ui.components import problem, prose, show_source
from pages.ui.datasets import Explored, choose_data
from pages.ui.photo_grid import caption_rows
from pages.ui.wording import plain

CAPTIONS, SENTENCE = "Search captions", "Photos for a sentence"


def by_query(explored: Explored, query: str) -> None:
    """Show the captions a query finds."""
    label = "Other forms of the words too (run: runs, running)"
    forms = st.toggle(label, key="search.forms", bind="query-params")
    index = explored.index
    found, duration = timed(lambda: find(index, query, forms=forms))
    captions, photos = len(found.captions), len(found.photos)
    st.caption(f"**{captions:,} captions** of **{photos:,} photos** in {spoken(duration)}.")
    if not captions:
        st.info("No caption fits. Try fewer words, or their other forms.")
    caption_rows("search.page", explored, found)


def by_sentence(explored: Explored, sentence: str) -> None:
    """Show the photos whose captions fit a sentence best."""
    ranking = explored.ranking
    hits, duration = timed(lambda: ranking.nearest(sentence))
    unknown = ranking.unknown(sentence)
    if unknown:
        st.caption(f"In no caption: {plain(', '.join(unknown))}.")
    st.caption(f"The {len(hits)} best of {len(explored.dataset):,} photos in {spoken(duration)}.")
    show_hits(explored, hits)


st.header("Search", anchor=False)
prose("explore-search")
explored = choose_data()
way = st.segmented_control(
    "What to look for",
    [CAPTIONS, SENTENCE],
    default=CAPTIONS,
    required=True,
    label_visibility="collapsed",
    key="search.way",
    bind="query-params",
)
query = st.text_input(
    "Look for",
    placeholder='"a red" (dog OR ball) NOT grass' if way == CAPTIONS else "a child in the snow",
    key="search.query",
    bind="query-params",
)
try:
    if query.strip():
        if way == CAPTIONS:
            by_query(explored, query)
            show_source("captioning.analysis.search", "find")
        else:
            by_sentence(explored, query)
            show_source("captioning.analysis.ranking", "PhotoRanking.nearest")
    else:
        prose("explore-search-help")
except CaptioningError as error:
    problem(error)
