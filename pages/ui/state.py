"""The state of a page, and its names: session keys and the parts of a link.

A widget binds its own value to the URL (`bind="query-params"`; its key is the name in the link).  A
choice made with a button has no such widget and is kept here.  So are a visitor's photos: a widget
forgets them when another page opens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.pictures import Picture

_CAPTIONED = "photos.captioned"


@dataclass(frozen=True)
class Captioned:
    """The photo that was captioned last.

    Attributes:
        picture: the photo.
        name: what a link calls it; None for a visitor's photo.
        model: name of the model that wrote the caption.
    """

    picture: Picture
    name: str | None
    model: str


def linked(key: str) -> str | None:
    """Return the value of `key` in the link, before any widget has checked it."""
    return st.query_params.get(key)


def chosen_photo(page: str, part: str = "photo") -> str | None:
    """Return the name of the photo chosen on `page`, if any.

    Args:
        page: the prefix of the keys of its controls.
        part: of the link: "photo" for those of the data set, "sample" for those of the app.
    """
    return linked(f"{page}.{part}")


def choose_photo(page: str, name: str, part: str = "photo") -> None:
    """Choose the photo `name` on `page`."""
    st.query_params[f"{page}.{part}"] = name


def forget_photo(page: str, part: str = "photo") -> None:
    """Choose no photo on `page`."""
    st.query_params.pop(f"{page}.{part}", None)


def keep_photos(page: str, pictures: Sequence[Picture]) -> None:
    """Keep the photos added to `page`; they replace those kept before."""
    st.session_state[f"{page}.photos"] = list(pictures)


def kept_photos(page: str) -> list[Picture]:
    """Return the photos added to `page` in this session."""
    return list(st.session_state.get(f"{page}.photos", []))


def remember_captioned(picture: Picture, name: str | None, model: str) -> None:
    """Remember which photo was captioned last, so that other pages offer it first.

    Args:
        picture: the photo.
        name: what a link calls it, if it has such a name.
        model: name of the model that wrote the caption.
    """
    last = captioned()
    if name is None and last is not None and last.picture == picture:
        name = last.name  # shown again without its link
    st.session_state[_CAPTIONED] = Captioned(picture, name, model)


def captioned() -> Captioned | None:
    """Return the photo that was captioned last in this session."""
    found: Captioned | None = st.session_state.get(_CAPTIONED)
    return found


def forget_captioned() -> None:
    """Stop offering the photo that was captioned last."""
    st.session_state.pop(_CAPTIONED, None)
