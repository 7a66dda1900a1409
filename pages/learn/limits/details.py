"""Lesson 9: the sentence without the details that the model is not certain of."""

import numpy as np
import streamlit as st

from captioning.text import STOP_WORDS, sentence
from captioning.uncertain_details import certain_places, left_out, remaining
from pages.learn.frame import LessonPage
from pages.ui.wording import plain

CERTAINTIES = {"off": 0.0, "20%": 0.2, "40%": 0.4, "60%": 0.6}
"""Choices of `detail_certainty`; models for photos use 40%."""


def show_details(page: LessonPage) -> None:
    """Show the probability of each content word, and the sentence without improbable details."""
    page.heading("Fewer words, fewer mistakes")
    page.text(
        "The lower the probability of a word, the more often it is wrong. So the app leaves out "
        "colours, actions and things with a word below 40%. What the sentence is about always "
        "stays, and for a verb that the words after it need, half of the limit is enough. Choose a "
        "higher limit: the sentence makes fewer mistakes, but says less."
    )
    asked = st.segmented_control(
        "Lowest probability of a detail", list(CERTAINTIES), default="40%",
        required=True, key="limits.details", bind="query-params",
    )  # fmt: skip
    subject = page.subject
    words, at_least = subject.words, CERTAINTIES[asked]
    ids = [subject.vocabulary.id(word) for word in words]
    log_probs = subject.reading.log_probs[0]
    certain = [float(np.exp(log_probs[step, i])) for step, i in enumerate(ids)]
    kept = certain_places(words, certain, at_least)
    rows = [place for place, word in enumerate(words) if word not in STOP_WORDS]
    page.table(
        {
            "word": [words[place] for place in rows],
            "probability": [f"{certain[place]:.0%}" for place in rows],
            "in the sentence": ["yes" if place in kept else "no" for place in rows],
        }
    )
    st.markdown(f"#### {plain(sentence(' '.join(remaining(words, kept))))}")
    if details := left_out(words, kept):
        st.caption(f"Left out: {plain('; '.join(details))}.")
    page.code("captioning.uncertain_details", "certain_places")
