"""Statistics: what captions consist of; each bar opens the photos behind it."""

import streamlit as st

from captioning.analysis import statistics as counts
from pages.explore.charts import (
    bar_chart,
    clicked,
    column_chart,
    coverage_chart,
    show_behind,
    split_chart,
    zipf_chart,
)
from pages.ui.components import prose, show_source
from pages.ui.datasets import Explored, choose_data, choose_split

TOPICS = {
    "Lengths": "lengths",
    "Words": "word_counts",
    "Zipf's law": "zipf",
    "Vocabulary": "coverage",
    "Splits": "split_words",
    "Openings": "openings",
    "Colours": "word_counts",
    "People": "word_counts",
}


def by_split(topic: str, explored: Explored) -> str | None:
    """Show a chart about one split; return the search behind the bar that was clicked."""
    index, split = explored.index, choose_split("statistics", explored, default="all")
    match topic:
        case "Lengths":
            chart = column_chart(counts.lengths(index, split), "Words in the caption", "Captions")
        case "Openings":
            chart = bar_chart(counts.openings(index, split), "Captions that begin like this")
        case "Colours" | "People":
            among = counts.COLORS if topic == "Colours" else counts.PEOPLE
            chart = bar_chart(counts.word_counts(index, split, among=among), "Occurrences")
        case _:
            chart = bar_chart(counts.word_counts(index, split), "Occurrences")
    return clicked(f"statistics.chart.{topic}", chart, f"{topic} of {split or 'all'} captions.")


def zipf(explored: Explored) -> str | None:
    """Show word frequencies and the line of Zipf's law."""
    curve = counts.zipf(explored.index)
    st.caption(
        f"The line through the points falls as rank to the power of {-curve.exponent:.2f}. Zipf's "
        "law says -1: the second word is half as frequent as the first, the tenth a tenth."
    )
    return clicked("statistics.chart.zipf", zipf_chart(curve), "Word frequency against rank.")


def coverage(explored: Explored) -> str | None:
    """Show vocabulary size against the share of words it covers."""
    st.caption(
        "Keep only words that occur often enough in the training captions: the vocabulary becomes "
        "much smaller and still covers nearly all words. A point opens the captions with a word "
        "that is left out."
    )
    chart = coverage_chart(counts.coverage(explored.index))
    return clicked("statistics.chart.coverage", chart, "Coverage against vocabulary size.")


def splits(explored: Explored) -> str | None:
    """Show the words of each split."""
    st.caption("A model can never write a word that is not in the training captions.")
    chart = split_chart(counts.split_words(explored.index))
    return clicked("statistics.chart.splits", chart, "Different words by split.")


st.header("Statistics", anchor=False)
prose("explore-statistics")
explored = choose_data()
topic = st.pills(
    "Topic",
    list(TOPICS),
    default="Lengths",
    required=True,
    label_visibility="collapsed",
    key="statistics.topic",
    bind="query-params",
)
if not len(explored.index.tokens):
    st.info("No photo of this data set has a caption, so there is nothing to count.")
    st.stop()
match topic:
    case "Zipf's law":
        query = zipf(explored)
    case "Vocabulary":
        query = coverage(explored)
    case "Splits":
        query = splits(explored)
    case _:
        query = by_split(topic, explored)
show_behind("statistics", explored, query)
show_source("captioning.analysis.statistics", TOPICS[topic])
