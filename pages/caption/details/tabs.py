"""The details of one caption in four tabs; only the open tab is computed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundle import Bundle
from captioning.errors import CaptioningError
from pages.caption.details.export import export
from pages.ui.beam_tree import show_tree
from pages.ui.components import problem
from pages.ui.model_comparison import compare_models
from pages.ui.pictures import Picture

if TYPE_CHECKING:
    from captioning.caption import Caption

__all__ = ["show_details"]

WHY, TREE, MODELS, EXPORT = PARTS = (
    "Why this sentence",
    "Search tree",
    "Other models",
    "Export",
)


def show_details(
    page: str, picture: Picture, models: Mapping[str, Bundle], bundle: Bundle, caption: "Caption"
) -> None:
    """Offer the details of a caption."""
    part = st.segmented_control(
        "Details", PARTS, key=f"{page}.closer", bind="query-params", label_visibility="visible"
    )
    try:
        if part == WHY and caption.words:
            from pages.caption.details.words import explain_words  # imports altair: a second

            explain_words(page, picture, bundle, caption)
        elif part == TREE:
            show_tree(picture, bundle, caption.decoding)
        elif part == MODELS:
            compare_models(page, picture, models, bundle, caption.decoding)
        elif part == EXPORT:
            export(page, picture, caption)
    except CaptioningError as error:
        problem(error)
