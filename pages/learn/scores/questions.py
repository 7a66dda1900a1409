"""The questions of the lesson on scores, answered by the live model."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.analysis.bleu import sentence_scores
from captioning.lessons.cider import draw_cider
from captioning.text import clean
from pages.learn.frame import LessonPage, Question
from pages.learn.scores.data import Crowd
from pages.ui import cache
from pages.ui.wording import plain

if TYPE_CHECKING:
    from captioning.captioner import Captioner

__all__ = ["questions_about"]


def questions_about(
    page: LessonPage, references: tuple[str, ...], crowd: Crowd
) -> tuple[Question, ...]:
    """Return three questions on the photo and model at hand."""
    return (
        Question(
            "What does the model's sentence for an empty photo score on this one?",
            lambda: _empty(page, references, crowd),
        ),
        Question(
            "Does a wider search also score higher here?",
            lambda: _wider(page, references, crowd),
        ),
        Question(
            "How well does a person do against the other people?",
            lambda: _person(references, crowd),
        ),
    )


def _line(text: str, references: tuple[str, ...], crowd: Crowd) -> str:
    bleu = sentence_scores(text, references)
    cider = 100 * draw_cider(text, references, crowd.frequencies).cider
    return f"BLEU-1 {bleu[0]:.1f}, BLEU-4 {bleu[3]:.1f}, CIDEr-D {cider:.1f}"


def _empty(page: LessonPage, references: tuple[str, ...], crowd: Crowd) -> str:
    subject = page.subject
    text = _of_empty(subject.key[:2], subject.captioner)
    own = _line(clean(subject.caption.text), references, crowd)
    return (
        f"Of an evenly grey photo the model says **{plain(text)}**. On the photo at hand that has "
        f"{_line(text, references, crowd)}; its own sentence has {own}. What the empty one still "
        "earns, it earns for common words."
    )


def _wider(page: LessonPage, references: tuple[str, ...], crowd: Crowd) -> str:
    subject = page.subject
    lines = []
    for width in (1, 3, 5):
        decoding = subject.bundle.decoding.replace(strategy="beam", beam_width=width)
        caption = cache.caption(
            subject.bundle, subject.picture.data, subject.picture.name, decoding
        )
        text = clean(caption.text)
        lines.append(f"- Beam width {width}: **{plain(text)}**. {_line(text, references, crowd)}.")
    ending = "One photo proves nothing: a score is told over a whole split."
    return "\n".join([*lines, "", ending])


def _person(references: tuple[str, ...], crowd: Crowd) -> str:
    if len(references) < 2:
        return "There is only one person's sentence here. Write a second one."
    lines = []
    for number, text in enumerate(references):
        others = (*references[:number], *references[number + 1 :])
        lines.append(f"- {plain(text)} {_line(text, others, crowd)}.")
    ending = "Each is scored against the others. People who saw the same photo do not reach 100."
    return "\n".join([*lines, "", ending])


@st.cache_data(max_entries=16, show_spinner="Writing about an empty photo…")
def _of_empty(key: tuple[object, ...], _captioner: "Captioner") -> str:
    return clean(_captioner.describe(_captioner.blank_features)[0].text)
