"""Data quality: agreement between people, misspellings, near-duplicates, loaded words."""

import streamlit as st

from captioning.errors import CaptioningError
from pages.explore.data_quality import (
    show_agreement,
    show_duplicates,
    show_misspellings,
    show_words,
)
from pages.ui.components import problem, prose, show_source
from pages.ui.datasets import choose_data, choose_split

TOPICS = {
    "Agreement": ("captioning.analysis.agreement", "measure_agreement"),
    "Misspellings": ("captioning.analysis.statistics", "likely_misspellings"),
    "Near-duplicates": ("captioning.analysis.similarity", "Likeness.across_splits"),
    "Loaded words": ("captioning.analysis.word_pairs", "count_pairs"),
}

st.header("Data quality", anchor=False)
prose("explore-character")
explored = choose_data()
topic = st.pills(
    "Topic",
    list(TOPICS),
    default="Agreement",
    required=True,
    label_visibility="collapsed",
    key="character.topic",
    bind="query-params",
)
try:
    match topic:
        case "Misspellings":
            show_misspellings("character", explored)
        case "Near-duplicates":
            show_duplicates("character", explored)
        case _:
            split = choose_split("character", explored, everything=False)
            show = show_agreement if topic == "Agreement" else show_words
            show("character", explored, split or "test")
except CaptioningError as error:
    problem(error)
show_source(*TOPICS[topic])
