"""What lessons share, also when a student changes the lesson by the sidebar.

Streamlit keeps a bound widget's value over a change of page once somebody has touched the widget,
but resets one that only a link had set.
"""

from collections.abc import Container
from typing import Any

import streamlit as st

from pages.learn.lessons import LESSONS
from pages.ui import state

PROJECTOR = "learn.projector"
_MEMORY, _LESSON, _ARRIVING = "learn.memory", "learn.lesson", "learn.arriving"


def arrive(lesson: str) -> None:
    """Note which lesson is drawn, so that `recall` knows whether it has just been opened."""
    st.session_state[_ARRIVING] = st.session_state.get(_LESSON) != lesson
    st.session_state[_LESSON] = lesson


def arriving() -> bool:
    """Whether the lesson is drawn for the first time since it was opened."""
    return bool(st.session_state.get(_ARRIVING))


def fills_the_screen() -> bool:
    """Whether the page is a lesson on a projector, which needs the width of the sidebar too."""
    page = (st.context.url or "").split("?")[0].rstrip("/").rpartition("/")[2]
    asked = (state.linked(PROJECTOR) or "").lower() in ("1", "true")
    on_projector = bool(st.session_state.get(PROJECTOR, asked))
    return on_projector and page in {lesson.key for lesson in LESSONS}


def remember(key: str, value: Any) -> None:
    """Keep the value of the widget `key` for the next lesson."""
    st.session_state.setdefault(_MEMORY, {})[key] = value


def remembered(key: str) -> Any:
    """Return the last value of the widget `key`; None if there is none."""
    return st.session_state.get(_MEMORY, {}).get(key)


def recall(key: str, allowed: Container[Any]) -> None:
    """Set the widget `key`, before it is drawn, to its value in the lesson before.

    A link has priority, and so has what was chosen since the lesson was opened.
    """
    value = remembered(key)
    if arriving() and state.linked(key) is None and value is not None and value in allowed:
        st.session_state[key] = value


def forget(key: str) -> None:
    """Reset the widget `key`."""
    st.session_state.get(_MEMORY, {}).pop(key, None)
    if key in st.session_state:
        del st.session_state[key]
