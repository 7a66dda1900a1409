"""What a page remembers, and under which names: session keys and the parts of a link.

A widget's value is bound to the URL by the widget itself (`bind="query-params"`, its key is the
name in the link).  What is chosen by a button has no widget to be bound to and is kept here.
"""

import streamlit as st

__all__ = ["choose_photo", "chosen_photo", "forget_photo", "linked"]


def linked(key: str) -> str | None:
    """Return what the link asks for under `key`, before any widget has checked it."""
    return st.query_params.get(key)


def chosen_photo(page: str) -> str | None:
    """Return the name of the gallery's photo that is looked at on `page`, if any."""
    return linked(f"{page}.photo")


def choose_photo(page: str, name: str) -> None:
    """Look at the gallery's photo `name` on `page`."""
    st.query_params[f"{page}.photo"] = name


def forget_photo(page: str) -> None:
    """Go back to the gallery of `page`."""
    st.query_params.pop(f"{page}.photo", None)
