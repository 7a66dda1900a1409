"""What a link to a lesson sets: photo, model, step, hidden controls, and large type.

?learn.model=shapes&learn.photo=shapes+1&learn.step=2&learn.hide=controls&learn.projector=true
"""

from urllib.parse import urlencode

import streamlit as st

from pages.learn.lesson_state import PROJECTOR, arriving, remembered
from pages.learn.subject import MODEL, OWN, PHOTO, Subject
from pages.ui import state
from pages.ui.datasets import DATA

STEP, HIDE = "learn.step", "learn.hide"


def controls_hidden() -> bool:
    """Whether the link hides the choice of photo and model, and what only a teacher needs."""
    return state.linked(HIDE) == "controls"


def in_projector() -> bool:
    """Whether the page is shown on a projector, by its switch or by its link."""
    if not arriving() and PROJECTOR in st.session_state:
        return bool(st.session_state[PROJECTOR])
    asked = state.linked(PROJECTOR)
    return bool(remembered(PROJECTOR)) if asked is None else asked.lower() in ("1", "true")


def parameters(subject: Subject, *, step: int | None = None, hide: bool = False) -> dict[str, str]:
    """Return the parameters of a link that opens a lesson in its present state.

    Args:
        subject: photo and model; an uploaded photo cannot be named and is left out.
        step: the place in the caption, from 1, if the lesson has such a choice.
        hide: leave out the choice of photo and model.
    """
    found = {MODEL: subject.bundle.name}
    if subject.name != OWN:
        found[PHOTO] = subject.name
    if data := remembered(DATA):
        found[DATA] = data
    if step is not None:
        found[STEP] = str(step)
    if hide:
        found[HIDE] = "controls"
    if in_projector():
        found[PROJECTOR] = "true"
    return found


def link_to(parameters: dict[str, str]) -> str:
    """Return this page's whole address with other parameters."""
    here = (st.context.url or "").split("?")[0]
    return f"{here}?{urlencode(parameters)}"
