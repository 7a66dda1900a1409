"""Words for people in the lesson on limits: what neutral words change, and what they cost."""

import streamlit as st

from captioning.bundle import Bundle
from captioning.people_words import GENDERED, certainties, neutral_words
from captioning.text import sentence
from pages.learn.frame import LessonPage
from pages.ui.wording import plain

__all__ = ["cost_rows", "show_people"]

CERTAINTIES = {"off": 0.0, "70%": 0.7, "90%": 0.9, "99%": 0.99}
"""Choices of `gender_certainty`; the pages of the app use 90%."""


def show_people(page: LessonPage) -> None:
    """Show the model's certainty about genders, and the sentence with neutral words."""
    page.heading("Words for people")
    page.text(
        "The model chooses between 'man' and 'woman' by looks, and a photo cannot tell. So the app "
        "writes 'person', 'people' or 'child' unless the model is certain of the gender. Certainty "
        "is the share of that gender in the probability of all such words at this position."
    )
    asked = st.segmented_control(
        "How certain the model must be to name a gender", list(CERTAINTIES), default="90%",
        required=True, key="limits.certainty", bind="query-params",
    )  # fmt: skip
    words = page.subject.words
    if GENDERED.keys() & set(words):
        _own_words(page, words, CERTAINTIES[asked])
    else:
        page.text(
            "The sentence about this photo names no gender. Choose a photo of a person to see "
            "what changes, such as the sample camera."
        )
    if rows := cost_rows(page.subject.bundle):
        page.table(
            {name: [row[name] for row in rows] for name in rows[0]},
            caption="References name genders too, so neutral words lower the scores although the "
            "captions are not worse. Scores elsewhere in the app are of the model's own words.",
        )


def _own_words(page: LessonPage, words: list[str], at_least: float) -> None:
    certain = certainties(words, page.subject.reading.log_probs[0], page.subject.vocabulary)
    page.table(
        {
            "word": [w for w, share in zip(words, certain, strict=True) if share is not None],
            "certainty of the gender": [f"{share:.1%}" for share in certain if share is not None],
        }
    )
    st.markdown(f"#### {plain(sentence(neutral_words(words, certain, at_least)))}")
    page.code("captioning.people_words", "certainties", "neutral_words")


def cost_rows(bundle: Bundle) -> list[dict[str, str]]:
    """Return a row for each stored evaluation with neutral words: CIDEr without and with them."""
    asked = ("data", "split", "beam_width", "length_penalty")
    own = {tuple(score.get(k) for k in asked): score for score in bundle.scores()}
    rows = []
    for score in bundle.scores(neutral_words=True):
        before = own.get(tuple(score.get(k) for k in asked))
        if before is not None:
            rows.append(
                {
                    "data": f"{score['data']} {score['split']}",
                    "CIDEr, own words": f"{before['cider']:.1f}",
                    "CIDEr, neutral words": f"{score['cider']:.1f}",
                }
            )
    return rows
