"""Lesson 5: where the model looks for each word, and what it says when it looks elsewhere."""

from dataclasses import replace

import numpy as np
import streamlit as st

from captioning.bundle import Bundle
from captioning.decoders import DECODERS
from captioning.errors import CaptioningError
from pages.learn import inspector
from pages.learn.attention.chosen_region import show_own_look
from pages.learn.attention.kinds import show_kinds
from pages.learn.attention.maps import show_maps
from pages.learn.attention.overlays import Looks, looks_at, quarter
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.subject import Subject
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.wording import percent, plain

__all__ = ["show"]

IDEA = (
    "The encoder leaves one row of numbers for each region of the photo, and attention decides "
    "anew for every word how much each region counts. What it decides can be seen, and you can "
    "decide in its place."
)


def show() -> None:
    """Show the lesson."""
    page = open_lesson("attention", IDEA)
    try:
        subject = _with_attention(page)
        if subject is not None and subject.words:
            _show_parts(page, subject)
        elif subject is not None:
            st.info("The model wrote no word about this photo. Choose another photo.")
        show_kinds(page)
    except CaptioningError as error:
        problem(error)
    page.papers(_PAPERS)
    page.close()


def _show_parts(page: LessonPage, subject: Subject) -> None:
    looks = looks_at(subject)
    narrow = looks.narrowest_word()
    place = page.step("Word of the caption", subject.words, first=narrow)
    word = plain(subject.words[narrow])
    answer = page.guess(
        "where",
        f"For word {narrow + 1}, **{word}**, the model looks hardest at one place. In which "
        f"quarter of the photo is it? It wrote: {plain(subject.caption.text)}",
        lambda: _quarter(looks, narrow),
        options=("top left", "top right", "bottom left", "bottom right"),
    )
    if answer is None:
        page.photo(360)
    else:
        show_maps(page, subject, looks, place)
    show_own_look(page, subject, looks, place)
    page.questions(_questions(subject, looks, place))


def _with_attention(page: LessonPage) -> Subject | None:
    """Return the subject, with another model if the one at hand has no attention.

    None, with a word about it, where no model with attention can be had.
    """
    subject = page.subject
    kind = subject.bundle.decoder.kind
    if kind == "attention":
        return subject
    page.text(
        f"The model {subject.bundle.name} is of the kind {kind} and has no attention: "
        f"{DECODERS[kind].without_attention}."
    )
    other = _another_with_attention(subject.bundle)
    if other is None:
        st.info(
            "No model with attention is at hand. Train one on the page New run (decoder: "
            "attention), and this lesson shows where it looks.",
            icon=":material/visibility_off:",
        )
        return None
    page.text(f"What follows is the model {other.name}, which has attention, on the same photo.")
    return replace(subject, bundle=other)


def _another_with_attention(bundle: Bundle) -> Bundle | None:
    """Return a model with attention that can be loaded here."""
    for other in inspector.models_of("attention", bundle):
        try:
            cache.captioner(other)
        except CaptioningError:
            continue
        return other
    return None


def _quarter(looks: Looks, place: int) -> Answer:
    weights = looks.maps[place]
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    share = looks.in_quarter(place, quarter(looks.grid, int(row), int(column)))
    return Answer(
        right=[quarter(looks.grid, int(row), int(column))],
        because=f"The region that counts most has {weights.max():.0%} of the attention, its "
        f"quarter {share:.0%}.",
    )


def _questions(subject: Subject, looks: Looks, place: int) -> list[Question]:
    word = subject.words[place]
    return [
        Question(
            f"How many of the {looks.regions} regions hold half of the attention at “{word}”?",
            lambda: _half(looks, place),
        ),
        Question(
            f"What would it say in place of “{word}” if it looked at all regions evenly?",
            lambda: _evenly(subject, looks, place),
        ),
        Question("At which word does it look most narrowly?", lambda: _narrowest(subject, looks)),
    ]


def _half(looks: Looks, place: int) -> str:
    needed, share = looks.regions_for_half(place)
    return (
        f"**{needed}** of {looks.regions}: the strongest {needed} hold {share:.0%}. A look that is "
        f"spread evenly would need {-(-looks.regions // 2)}."
    )


def _evenly(subject: Subject, looks: Looks, place: int) -> str:
    step = inspector.look_again(subject, place, (1.0 / looks.regions,) * looks.regions)
    free = inspector.reading(subject).steps[place]
    even, own = (int(s.log_probs[0].argmax()) for s in (step, free))
    return (
        f"**{_said(subject, even)}** ({percent(float(step.log_probs[0, even]))}). With its own "
        f"look it finds **{_said(subject, own)}** likeliest "
        f"({percent(float(free.log_probs[0, own]))})."
    )


def _narrowest(subject: Subject, looks: Looks) -> str:
    narrow, wide = looks.narrowest_word(), looks.widest_word()
    return (
        f"At **{plain(subject.words[narrow])}**, word {narrow + 1}: as spread out as over "
        f"{looks.spread[narrow]:.1f} regions. Most widely at **{plain(subject.words[wide])}**, "
        f"word {wide + 1}: {looks.spread[wide]:.1f} regions of {looks.regions}. (e to the power of "
        "the entropy of the weights.)"
    )


def _said(subject: Subject, token: int) -> str:
    return plain(inspector.word_of(subject.vocabulary, token))


_PAPERS = [
    Paper(
        "Neural Machine Translation by Jointly Learning to Align and Translate",
        "Bahdanau, Cho and Bengio",
        2014,
        "https://arxiv.org/abs/1409.0473",
    ),
    Paper(
        "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention",
        "Xu et al.",
        2015,
        "https://arxiv.org/abs/1502.03044",
    ),
    Paper(
        "Effective Approaches to Attention-based Neural Machine Translation",
        "Luong, Pham and Manning",
        2015,
        "https://arxiv.org/abs/1508.04025",
    ),
    Paper(
        "Show and Tell: A Neural Image Caption Generator (inject)",
        "Vinyals et al.",
        2015,
        "https://arxiv.org/abs/1411.4555",
    ),
    Paper(
        "Where to put the Image in an Image Caption Generator (merge)",
        "Tanti, Gatt and Camilleri",
        2017,
        "https://arxiv.org/abs/1703.09137",
    ),
    Paper(
        "Attention is not Explanation", "Jain and Wallace", 2019, "https://arxiv.org/abs/1902.10186"
    ),
]


if __name__ == "__main__":
    show()
