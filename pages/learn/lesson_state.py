"""What lessons share, also when a student changes the lesson by the sidebar.

Streamlit keeps a bound widget's value over a change of page once somebody has touched the widget,
but resets one that only a link had set.
"""

from collections.abc import Container
from typing import Any

import streamlit as st

# What a link to a lesson sets, with the photo and the model (`pages.learn.subject`), such as
# ?learn.model=shapes&learn.photo=shapes+1&learn.step=2&learn.hide=controls&learn.projector=true
STEP, HIDE, PROJECTOR = "learn.step", "learn.hide", "learn.projector"
_MEMORY, _LESSON, _ARRIVING = "learn.memory", "learn.lesson", "learn.arriving"


def arrive(lesson: str) -> None:
    """Note which lesson is drawn, so that `recall` knows whether it has just been opened."""
    st.session_state[_ARRIVING] = st.session_state.get(_LESSON) != lesson
    st.session_state[_LESSON] = lesson


def arriving() -> bool:
    """Whether the lesson is drawn for the first time since it was opened."""
    return bool(st.session_state.get(_ARRIVING))


def controls_hidden() -> bool:
    """Whether the link hides the choice of photo and model, and what only a teacher needs."""
    return st.query_params.get(HIDE) == "controls"


def in_projector() -> bool:
    """Whether the page is shown on a projector, by its switch or by its link."""
    if not arriving() and PROJECTOR in st.session_state:
        return bool(st.session_state[PROJECTOR])
    asked = st.query_params.get(PROJECTOR)
    return bool(remembered(PROJECTOR)) if asked is None else asked.lower() in ("1", "true")


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
    if arriving() and st.query_params.get(key) is None and value is not None and value in allowed:
        st.session_state[key] = value


def forget(key: str) -> None:
    """Reset the widget `key`."""
    st.session_state.get(_MEMORY, {}).pop(key, None)
    if key in st.session_state:
        del st.session_state[key]
