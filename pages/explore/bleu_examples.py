"""What there is to score on a photo, and captions on which the score misleads."""

import streamlit as st

from captioning.analysis.agreement import open_agreement
from captioning.analysis.bleu_examples import MisleadingScore, right_but_low, wrong_but_high
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import CaptioningError
from pages.ui.bleu import show_example
from pages.ui.components import problem
from pages.ui.datasets import Explored, with_progress

__all__ = ["references_of", "show_misleading", "suggestion"]

SPLIT_TO_SEARCH = "test"


def suggestion(explored: Explored, photo: Photo) -> str:
    """Return a caption that somebody wrote about the photo whose captions are most like this one's.

    A baseline as old as the task: the neighbour's caption.  Usually half right.
    """
    hits = explored.ranking.nearest(" ".join(photo.captions), count=2)
    others = [hit.photo for hit in hits if hit.photo.name != photo.name]
    return others[0].captions[0] if others else photo.captions[0]


def references_of(photo: Photo, text: str) -> tuple[str, ...]:
    """Return what to score a text against: all captions, or the others if it is one of them."""
    others = tuple(caption for caption in photo.captions if caption != text)
    if others and len(others) < len(photo.captions):
        st.caption(
            "This is one of the captions of this very photo, so it is scored against the other "
            f"{len(others)} captions."
        )
        return others
    return photo.captions


def show_misleading(page: str, explored: Explored) -> None:
    """Show right captions that BLEU punishes, and wrong ones that it praises."""
    if not st.toggle("Find examples in this data", key=f"{page}.examples", bind="query-params"):
        st.caption("It reads all test captions, which takes a few seconds the first time.")
        return
    try:
        low, high = _misleading(explored.name, explored.dataset)
    except CaptioningError as error:
        problem(error)
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Right, but low**: written about this very photo")
        for number, example in enumerate(low):
            show_example(f"{page}.low.{number}", explored, example)
    with right:
        st.markdown("**Wrong, but high**: written about another photo")
        for number, example in enumerate(high):
            show_example(f"{page}.high.{number}", explored, example)
        if not high:
            st.caption("None: no caption of another photo contradicts one and still scores.")


@st.cache_data(max_entries=2, show_spinner=False)
def _misleading(
    name: str, _dataset: CaptionDataset
) -> tuple[list[MisleadingScore], list[MisleadingScore]]:
    agreement = with_progress(
        "Scoring the captions…",
        lambda told: open_agreement(_dataset, SPLIT_TO_SEARCH, on_progress=told),
    )
    return right_but_low(_dataset, agreement), wrong_but_high(_dataset, SPLIT_TO_SEARCH)
