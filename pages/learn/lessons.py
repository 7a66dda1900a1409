"""The nine lessons, the tools that go with them, and what a session carries between them.

Streamlit keeps a bound widget's value over a change of page once somebody has touched the widget,
but resets one that only a link had set.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import streamlit as st

# What a link to a lesson sets, with the photo and the model (`pages.learn.subject`), such as
# ?learn.model=shapes&learn.photo=shapes+1&learn.step=2&learn.hide=controls&learn.projector=true
STEP, HIDE, PROJECTOR = "learn.step", "learn.hide", "learn.projector"
_MEMORY, _LESSON, _ARRIVING = "learn.memory", "learn.lesson", "learn.arriving"


@dataclass(frozen=True)
class LearnPage:
    """A page of the section.

    Attributes:
        file: of the page, as `app.py` lists it.
        title: what links call it.
        icon: name of a Material symbol.
        purpose: what it is for, in one line.
    """

    file: str
    title: str
    icon: str
    purpose: str

    @property
    def path(self) -> str:
        """The page's file, as links name it."""
        return f"pages/{self.file}"


@dataclass(frozen=True)
class Lesson(LearnPage):
    """One lesson: its number, from 1, and its key; its page is `pages/learn/<key>/page.py`."""

    number: int
    key: str


@dataclass(frozen=True)
class Tool(LearnPage):
    """A page next to the lessons, and the key of the lesson it belongs to, if any."""

    lesson: str | None = None


LESSONS = tuple(
    Lesson(f"learn/{key}/page.py", title, icon, purpose, number, key)
    for number, (key, title, icon, purpose) in enumerate(
        [
            ("overview", "Overview", "schema", "From a photo to a sentence, in one picture."),
            ("encoder", "The encoder", "grid_view", "How a CNN turns pixels into regions."),
            (
                "words",
                "Words",
                "abc",
                "How words become numbers, and captions become training rows.",
            ),
            ("lstm", "The LSTM", "memory", "One cell, opened at any word of the sentence."),
            ("attention", "Attention", "visibility", "Where the model looks for each word."),
            ("decoding", "Decoding", "account_tree", "How a sentence is chosen, word by word."),
            ("scores", "Scores", "straighten", "What BLEU and CIDEr count, and what they miss."),
            ("training", "Training", "trending_down", "What one step changes, and overfitting."),
            ("limits", "Limits", "report", "What comes from habit and not from the photo."),
        ],
        start=1,
    )
)


TOOLS = (
    Tool(
        "train/step.py",
        "Training step by step",
        "footprint",
        "A new model takes one step at a time, and you see each number.",
        "training",
    ),
    Tool("play/play.py", "Class game", "groups", "A class and two models caption the same photo."),
)


def lesson(key: str) -> Lesson:
    """Return the lesson called `key`.

    Raises:
        LookupError: there is none.
    """
    for found in LESSONS:
        if found.key == key:
            return found
    raise LookupError(f"There is no lesson called {key!r}.")


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
