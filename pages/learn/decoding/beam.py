"""Greedy and beam search: the tree, the sentences it ends with, and how they are ranked."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.lessons.latex import numeral
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui.beam_tree import draw_tree
from pages.ui.wording import percent

if TYPE_CHECKING:
    from captioning.decoding import Hypothesis, Trace

__all__ = ["search", "show_beam"]

_WIDEST = 6
_RANKED = 6


def show_beam(page: LessonPage) -> None:
    """Show a beam search of any width, and rank what it ended with."""
    from captioning.decoding import read_hypotheses, read_tree

    subject = page.subject
    page.heading("Greedy and beam search")
    page.text(
        "Greedy search takes the likeliest word and never looks back: a beam of width 1. A wider "
        "beam keeps several beginnings at every step and gives up the others."
    )
    width, penalty = _choose_settings(subject)
    trace = search(subject, width)
    nodes = read_tree(trace, length_penalty=penalty)
    st.graphviz_chart(draw_tree(nodes, subject.vocabulary.words), width="stretch")
    st.caption(
        "Read from left to right; each word with its probability after the words before it. Solid "
        "words were kept, dashed ones given up, round ones end a sentence, and green is the "
        "sentence that won."
    )
    ranked = read_hypotheses(trace, length_penalty=penalty)[0][:_RANKED]
    page.table(
        {
            "rank": [str(rank) for rank in range(1, len(ranked) + 1)],
            "sentence": [subject.vocabulary.decode(h.ids) or "(no words)" for h in ranked],
            "log-probability": [f"{_log_prob(h):.2f}" for h in ranked],
            "probability": [percent(_log_prob(h)) for h in ranked],
            "score": [f"{h.score(penalty):.3f}" for h in ranked],
        },
        caption=f"The sentences that a beam of {width} ended with, by score.",
    )
    page.formula(_score_formula(ranked[0], penalty))
    page.aside(
        "n counts the words and the end. Moving the length penalty ranks the same sentences anew, "
        "without another search."
    )
    page.code("captioning.lessons.decoding", "beam_search")


def search(subject: Subject, width: int) -> "Trace":
    """Return the beam search of a width about the photo, searched once."""
    return _searched(subject.key, width, subject)


def _choose_settings(subject: Subject) -> tuple[int, float]:
    usual = subject.bundle.decoding
    with st.grid(2, min_column_width=200):
        width = st.slider(
            "Beam width", 1, _WIDEST, min(3, _WIDEST), key="decoding.width", bind="query-params"
        )
        penalty = st.slider(
            "Length penalty",
            0.0,
            2.0,
            usual.length_penalty,
            0.1,
            key="decoding.penalty",
            bind="query-params",
            help="The power of the length by which the log-probability is divided; 0 leaves it.",
        )
    return width, penalty


def _log_prob(hypothesis: "Hypothesis") -> float:
    return hypothesis.log_prob + (hypothesis.end_log_prob or 0.0)


def _score_formula(best: "Hypothesis", penalty: float) -> str:
    count = len(best.ids) + (best.end_log_prob is not None)
    return (
        r"\mathrm{score} = \frac{\sum_t \ln p_t}{n^{\alpha}} = "
        rf"\frac{{{numeral(_log_prob(best))}}}{{{count}^{{{penalty:.1f}}}}} = "
        rf"{numeral(best.score(penalty))}"
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _searched(key: tuple[str, int, str], width: int, _subject: Subject) -> "Trace":
    from captioning.lessons.decoding import beam_search

    return beam_search(inspector.decoder(_subject.bundle), inspector.memory(_subject), width)
