"""Lesson 5: where the model looks for each word, and what it writes when it looks elsewhere."""

from dataclasses import replace

import numpy as np
import streamlit as st

from captioning.bundle import Bundle
from captioning.decoders import DECODERS
from captioning.errors import CaptioningError
from captioning.lessons.worksheet import Table
from pages.learn import inspector
from pages.learn.attention.chosen_region import show_chosen_region
from pages.learn.attention.maps import Looks, looks_at, quarter, show_maps
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.subject import Subject
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.theme import Look
from pages.ui.wording import percent, plain

IDEA = (
    "The encoder leaves one row of numbers for each region of the photo, and attention decides "
    "for every word how much each region counts. You can see what it decides, and you can decide "
    "yourself."
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
        f"For word {narrow + 1}, **{word}**, the model looks most at one region. In which "
        f"quarter of the photo is it? It wrote: {plain(subject.caption.text)}",
        lambda: _quarter(looks, narrow),
        options=("top left", "top right", "bottom left", "bottom right"),
    )
    if answer is None:
        page.photo(360)
    else:
        show_maps(page, subject, looks, place)
    show_chosen_region(page, subject, looks, place)
    page.questions(_questions(subject, looks, place))


def _with_attention(page: LessonPage) -> Subject | None:
    """Return the subject, with another model if the chosen one has no attention.

    None, after a message, where no model with attention can be loaded.
    """
    subject = page.subject
    kind = subject.bundle.decoder.kind
    if kind == "attention":
        return subject
    page.text(
        f"The model {subject.bundle.name} has a decoder of the kind {kind}, without attention: "
        f"{DECODERS[kind].without_attention}."
    )
    other = _another_with_attention(subject.bundle)
    if other is None:
        st.info(
            "There is no model with attention here. Train one on the page New run (decoder: "
            "attention); then this lesson shows where it looks.",
            icon=":material/visibility_off:",
        )
        return None
    page.text(f"This lesson goes on with the model {other.name}, which has attention.")
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
            f"What would it write in place of “{word}” if it looked at all regions evenly?",
            lambda: _evenly(subject, looks, place),
        ),
        Question(
            "At which word is its attention most focused?", lambda: _narrowest(subject, looks)
        ),
    ]


def _half(looks: Looks, place: int) -> str:
    needed, share = looks.regions_for_half(place)
    return (
        f"**{needed}** of {looks.regions}: the strongest {needed} hold {share:.0%}. Attention that "
        f"is spread evenly would need {-(-looks.regions // 2)}."
    )


def _evenly(subject: Subject, looks: Looks, place: int) -> str:
    step = inspector.look_again(subject, place, np.full(looks.regions, 1.0 / looks.regions))
    free = inspector.reading(subject).steps[place]
    even, own = (int(s.log_probs[0].argmax()) for s in (step, free))
    return (
        f"**{_name(subject, even)}** ({percent(float(step.log_probs[0, even]))}). With its own "
        f"attention it finds **{_name(subject, own)}** likeliest "
        f"({percent(float(free.log_probs[0, own]))})."
    )


def _narrowest(subject: Subject, looks: Looks) -> str:
    narrow, wide = looks.narrowest_word(), looks.widest_word()
    return (
        f"At **{plain(subject.words[narrow])}**, word {narrow + 1}: spread over "
        f"{looks.spread[narrow]:.1f} regions. It is widest at **{plain(subject.words[wide])}**, "
        f"word {wide + 1}: {looks.spread[wide]:.1f} regions of {looks.regions}. (e to the power of "
        "the entropy of the weights.)"
    )


def _name(subject: Subject, token: int) -> str:
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


def show_kinds(page: LessonPage) -> None:
    """Show the kinds of decoder, with a model of each where there is one."""
    page.heading("Where the photo enters: three kinds of decoder")
    asked = st.toggle("Let a model of each kind write about this photo", key="attention.kinds")
    rows: list[list[str]] = []
    columns = st.columns(len(DECODERS), gap="medium")
    for column, (kind, spec) in zip(columns, DECODERS.items(), strict=True):
        about = spec.summary
        with column.container(border=True):
            st.markdown(f"**{kind.capitalize()}**")
            st.graphviz_chart(diagram(kind, page.look), width="stretch")
            st.caption(about)
            rows.append([kind, about, _show_model(page, kind, asked=asked)])
    page.keep(Table(["kind", "how the photo comes in", "what it writes"], rows))
    page.aside(
        "Models differ in more than their kind if they were trained differently. flickr8k-merge "
        "and flickr8k-inject share encoder, words, data and number of epochs. everyday has the "
        "same encoder, but it learned from more photos and from sentences. To compare kinds "
        "yourself, train with equal settings and open the page Compare."
    )


def diagram(kind: str, look: Look) -> str:
    """Draw where the photo enters, in the language of Graphviz, in the colours of `look`."""
    grey = f'color="{look.border}" fontcolor="{look.muted}"'
    green = f'color="{look.accent}" fontcolor="{look.accent}"'
    return (
        'digraph { rankdir=TB bgcolor="transparent" nodesep=0.25 ranksep=0.25 '
        f'node [shape=box fontname="sans-serif" fontsize=12 height=0.3 {grey}] '
        f'edge [arrowsize=0.5 fontname="sans-serif" fontsize=10 {grey}] '
        f'photo [label="photo" {green}] word [label="word"] cell [label="LSTM"] '
        f'next [label="next word"] {DECODERS[kind].diagram} }}'
    )


def _show_model(page: LessonPage, kind: str, *, asked: bool) -> str:
    """Show what a model of this kind writes, if it is asked; return it for the worksheet."""
    found = inspector.models_of(kind, page.subject.bundle)
    if not found:
        st.caption(f":material/block: There is no model of the kind {kind} here.")
        st.page_link("pages/train/new.py", label="Train one", icon=":material/add_circle:")
        return "no model here"
    if not asked:
        names = ", ".join(f"**{plain(bundle.name)}**" for bundle in found)
        st.caption(f"Models of this kind: {names}")
        return "not asked"
    return _write(page, found)


def _write(page: LessonPage, found: list[Bundle]) -> str:
    """Let the first model that can be loaded write about the photo."""
    picture, fault = page.subject.picture, None
    for bundle in found:
        try:
            caption = cache.caption(bundle, picture.data, picture.name, bundle.decoding)
        except CaptioningError as error:
            fault = error
            continue
        st.markdown(f"### {plain(caption.text) or '(no words)'}")
        st.caption(
            f"**{plain(bundle.name)}**, encoder {bundle.encoder.name}: {percent(caption.log_prob)}"
        )
        return f"{bundle.name}: {caption.text}"
    if fault is not None:
        problem(fault)
    return "cannot be loaded here"


if __name__ == "__main__":
    show()
