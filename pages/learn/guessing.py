"""Guess first, then look: counts the right guesses of the student and of the model."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from captioning.text import tokenize
from pages.ui.components import main_button
from pages.ui.wording import counted, plain

_TALLY = "learn.tally"
NO_GUESS = ""
"""Stands for the wish to see the answer without a guess; it is not counted."""


@dataclass(frozen=True)
class Answer:
    """The right answer to a guess.

    Attributes:
        right: every answer that counts as right; the first one is shown.
        model: the model's answer to the same question; None if it was not asked.
        because: one sentence of Markdown that says why, or a function that makes it from the guess.
    """

    right: Sequence[str]
    model: str | None = None
    because: str | Callable[[str], str] = ""


@dataclass
class Tally:
    """Guesses of this session.

    Attributes:
        asked: guesses revealed so far.
        student: right ones of them.
        model_asked: how many of them the model answered too.
        model: how many the model had right.
    """

    asked: int = 0
    student: int = 0
    model_asked: int = 0
    model: int = 0
    given: dict[Hashable, str] = field(default_factory=dict)


def tally() -> Tally:
    """Return the guesses of this session."""
    found: Tally = st.session_state.setdefault(_TALLY, Tally())
    return found


def ask(
    key: str,
    question: str,
    find: Callable[[], Answer],
    *,
    about: Hashable,
    options: Sequence[str] = (),
    large: bool = False,
) -> Answer | None:
    """Ask for a guess, and return the answer once one was given.

    Args:
        key: `<lesson>.<name>` of the guess.
        question: what to guess, in one sentence.
        find: computes the answer; called when the guess is given.
        about: what the guess depends on, such as `subject.key`; with another value, the question is
            asked again.
        options: to pick from; without them the guess is typed.
        large: whether it is shown on a projector.
    """
    counts, place = tally(), (key, about)
    size = "### " if large else ""
    with st.container(border=True):
        st.markdown(f"{size}:material/psychology_alt: **First guess.** {question}")
        if place not in counts.given:
            form = st.empty()
            guess = _take(form, key, options)
            if guess is None:
                return None
            form.empty()
            answer = find()
            _score(counts, place, guess, answer)
        else:
            answer = find()
        _show_result(counts, counts.given[place], answer, size)
    return answer


def is_right(guess: str, answer: Answer) -> bool:
    """Whether a guess is one of the right answers; capitals and punctuation do not matter."""
    return _bare(guess) in {_bare(text) for text in answer.right}


def _take(place: DeltaGenerator, key: str, options: Sequence[str]) -> str | None:
    """Return the guess that was just given, if any."""
    with place, st.form(f"{key}.form", border=False):
        if options:
            guess = st.radio("Your guess", options, index=None, horizontal=True, key=f"{key}.guess")
        else:
            guess = st.text_input("Your guess", max_chars=80, key=f"{key}.guess")
        with st.container(horizontal=True):
            given = st.form_submit_button(**main_button("Guess, and look"), key=f"{key}.look")
            shown = st.form_submit_button("Just show me", type="tertiary", key=f"{key}.show")
    if shown:
        return NO_GUESS
    return guess if given and guess else None


def _score(counts: Tally, place: Hashable, guess: str, answer: Answer) -> None:
    counts.given[place] = guess
    if guess == NO_GUESS:
        return
    counts.asked += 1
    counts.student += is_right(guess, answer)
    if answer.model is not None:
        counts.model_asked += 1
        counts.model += is_right(answer.model, answer)


def _show_result(counts: Tally, guess: str, answer: Answer, size: str) -> None:
    lines = []
    if guess != NO_GUESS:
        mark = "check_circle" if is_right(guess, answer) else "cancel"
        lines.append(f":material/{mark}: You guessed **{plain(guess)}**.")
    lines.append(f"The answer is **{plain(answer.right[0])}**.")
    if answer.model is not None:
        lines.append(f"The model guessed **{plain(answer.model)}**.")
    lines.append(answer.because if isinstance(answer.because, str) else answer.because(guess))
    st.markdown(size + " ".join(filter(None, lines)))
    if not counts.asked:
        return
    score = f"So far you were right {counts.student} of {counts.asked} times"
    if counts.model_asked:
        score += f", the model {counts.model} of {counted(counts.model_asked, 'time')}"
    st.caption(f"{score}.")


def _bare(text: str) -> str:
    return " ".join(tokenize(text)) or text.strip()
