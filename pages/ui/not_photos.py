"""Ask before a picture that is not a photo is captioned."""

import hashlib

import streamlit as st

from captioning.bundle import Bundle
from captioning.calibration.picture_kind import Kind
from pages.ui.pictures import Picture

__all__ = ["LOOKS_LIKE", "is_wanted"]

LOOKS_LIKE: dict[Kind, str] = {
    "screenshot": "This looks like a screenshot, not a photo.",
    "document": "This looks like a page of text, not a photo.",
    "chart": "This looks like a chart, not a photo.",
    "drawing": "This looks like a drawing, not a photo.",
    "blank": "This picture looks empty.",
    "noise": "This looks like random dots, not a photo.",
}


def is_wanted(picture: Picture, bundle: Bundle, kind: Kind | None) -> bool:
    """Return whether to caption a picture: every photo, and other pictures on request.

    Until then the page says what the picture looks like and offers a button.
    """
    if kind is None or kind == "photo":
        return True
    asked: set[str] = st.session_state.setdefault("caption_anyway", set())
    digest = hashlib.sha256(picture.data).hexdigest()[:16]
    if digest in asked:
        return True
    st.warning(LOOKS_LIKE[kind], icon=":material/image_not_supported:")
    st.button(
        "Caption it anyway",
        key=f"anyway.{bundle.name}.{digest}",
        on_click=asked.add,
        args=(digest,),
    )
    return False
