"""BLEU: one caption scored before your eyes, and where the score misleads."""

import streamlit as st

from captioning.analysis.bleu_breakdown import draw_bleu
from captioning.datasets import Photo
from pages.explore.bleu_examples import references_of, show_misleading, suggestion
from pages.explore.chosen_photo import chosen_photo
from pages.ui.bleu import show_arithmetic, show_bleu, show_drawing, show_ngrams
from pages.ui.components import prose, show_source
from pages.ui.datasets import Explored, choose_data
from pages.ui.photo_grid import photo_link, thumbnail


def score(photo: Photo, text: str) -> None:
    """Draw the score of a text beside the photo's captions."""
    drawing = draw_bleu(text, references_of(photo, text))
    show_drawing(drawing)
    left, right = st.columns([1, 1], gap="large")
    with left:
        show_bleu(drawing)
    with right:
        order = choose_order()
        show_ngrams(drawing, order)
    show_arithmetic(drawing, order)


def choose_order() -> int:
    """Ask which of the four figures to take apart."""
    return st.segmented_control(
        "Look at",
        [1, 2, 3, 4],
        default=2,
        required=True,
        format_func=lambda n: f"BLEU-{n}",
        key="bleu.order",
        bind="query-params",
    )


def hypothesis(explored: Explored, photo: Photo) -> str:
    """Ask for the sentence to score, beside its photo."""
    left, right = st.columns([1, 3], gap="large", vertical_alignment="center")
    with left:
        thumbnail(explored, photo)
        photo_link(explored, photo, label="Open this photo")
    with right:
        return st.text_input(
            "A caption to score: change a word and press Enter",
            value=suggestion(explored, photo),
            key="bleu.text",
            bind="query-params",
        )


st.header("BLEU", anchor=False)
prose("explore-bleu")
explored = choose_data()
photo = chosen_photo(explored)
if not photo.captions:
    st.info("Nobody described this photo, so nothing can be scored on it. Open another one.")
    st.stop()
score(photo, hypothesis(explored, photo))
show_source("captioning.metrics.bleu", "bleu_from_statistics")
st.subheader("Where BLEU misleads", anchor=False)
show_misleading("bleu", explored)
