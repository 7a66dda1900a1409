"""What a page remembers, and under which names: session keys and the parts of a link.

A widget's value is bound to the URL by the widget itself (`bind="query-params"`, its key is the
name in the link).  What is chosen by a button has no widget to be bound to and is kept here.
"""

import streamlit as st

__all__ = ["choose_photo", "chosen_photo", "forget_photo", "linked"]


def linked(key: str) -> str | None:
    """Return what the link asks for under `key`, before any widget has checked it."""
    return st.query_params.get(key)


def chosen_photo(page: str, part: str = "photo") -> str | None:
    """Return the name of the photo that is looked at on `page`, if any.

    Args:
        page: as the keys of its controls begin.
        part: of the link: "photo" for those of the data set, "sample" for those of the app.
    """
    return linked(f"{page}.{part}")


def choose_photo(page: str, name: str, part: str = "photo") -> None:
    """Look at the photo `name` on `page`."""
    st.query_params[f"{page}.{part}"] = name


def forget_photo(page: str, part: str = "photo") -> None:
    """Look at no photo on `page`, but at all there are."""
    st.query_params.pop(f"{page}.{part}", None)
