"""Blind spots of the scores: changes they miss, captions they misjudge, common mistakes."""

import streamlit as st

from captioning.analysis.agreement import open_agreement
from captioning.analysis.bleu import (
    MisleadingScore,
    draw_bleu,
    right_but_low,
    sentence_scores,
    wrong_but_high,
)
from captioning.errors import CaptioningError
from captioning.lessons.bleu import (
    SMOOTHINGS,
    ScoredAs,
    score_as_tutorials_do,
    smooth_bleu,
    smoothed_formula,
)
from captioning.lessons.caption_edits import Duel, edits_of, find_duel
from captioning.lessons.cider import draw_cider
from pages.learn.frame import LessonPage
from pages.learn.guessing import Answer
from pages.learn.scores.cider import Crowd
from pages.learn.subject import lesson_data, look_at
from pages.ui.components import problem
from pages.ui.datasets import Explored, thumbnail
from pages.ui.progress import with_progress
from pages.ui.wording import plain

_SPLIT = "test"
_SEARCHED = 200


def show_blind_spots(
    page: LessonPage, base: str, references: tuple[str, ...], crowd: Crowd, order: int
) -> None:
    """Show both scores for every change of the sentence."""
    edits = edits_of(base)
    if edits:
        page.heading("Blind spots")
        start = sentence_scores(base, references)[order - 1]
        first = 100 * draw_cider(base, references, crowd.frequencies).cider
        bleus = [sentence_scores(edit.text, references)[order - 1] for edit in edits]
        ciders = [100 * draw_cider(e.text, references, crowd.frequencies).cider for e in edits]
        page.table(
            {
                "change": [edit.title for edit in edits],
                "changes the meaning": ["no" if edit.keeps_truth else "yes" for edit in edits],
                f"BLEU-{order}": [f"{b:.1f} ({b - start:+.1f})" for b in bleus],
                "CIDEr-D": [f"{c:.1f} ({c - first:+.1f})" for c in ciders],
            },
            caption=f"In brackets: the difference to the model's sentence, which has {start:.1f} "
            f"and {first:.1f}. A score that understood would lower every 'yes' more than any 'no'.",
        )


def show_duel(page: LessonPage, crowd: Crowd) -> None:
    """Show two sentences of which BLEU prefers the wrong one."""
    duel = _duel_in(crowd.name, crowd)
    if duel is None:
        return
    page.heading("Where BLEU prefers the wrong sentence")
    right, wrong = duel.right, duel.wrong
    page.text("Two sentences about another photo. People who saw it wrote these about it:")
    st.markdown("\n".join(f"- {plain(text)}" for text in duel.references))
    first, second = (right, wrong) if len(right) % 2 else (wrong, right)
    answer = page.guess(
        "duel",
        f"Which one has the higher BLEU-4? A: *{plain(first)}* B: *{plain(second)}*",
        lambda: _who_won(duel.right_bleu, duel.wrong_bleu, wrong_is_first=first == wrong),
        options=("A", "B"),
        about=(right, wrong),
    )
    if answer is not None:
        page.table(
            {
                "sentence": [right, wrong],
                "written by": ["a person who saw the photo", "nobody: one word is made false"],
                "BLEU-4": [f"{duel.right_bleu:.1f}", f"{duel.wrong_bleu:.1f}"],
            },
            caption=f"In the second one '{duel.true_word}' was replaced by '{duel.false_word}', "
            "which nobody wrote about the photo.",
        )


def _who_won(right: float, wrong: float, *, wrong_is_first: bool) -> Answer:
    winner = "A" if wrong_is_first else "B"
    because = (
        f"It is false and has {wrong:.1f}; the other one is true and has {right:.1f}. BLEU rewards "
        "shared words, not the truth."
    )
    return Answer((winner,), because=because)


def show_misleading() -> None:
    """Show true captions with a low BLEU, and wrong ones with a high BLEU, from the data set."""
    data = lesson_data()
    if data is None or not st.toggle(
        "Find more examples in the test captions",
        key="scores.examples",
        bind="query-params",
        help="This reads all test captions, which takes a few seconds the first time.",
    ):
        return
    try:
        low, high = _misleading(data.name, data)
    except CaptioningError as error:
        problem(error)
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Right, but low**: written about this very photo")
        for number, example in enumerate(low):
            _show_example(f"low.{number}", data, example)
    with right:
        st.markdown("**Wrong, but high**: written about another photo")
        for number, example in enumerate(high):
            _show_example(f"high.{number}", data, example)
        if not high:
            st.caption("None: no caption of another photo contradicts a photo and still scores.")


def _show_example(key: str, data: Explored, example: MisleadingScore) -> None:
    """Show a caption whose score misleads, with its photo, and offer to take it apart."""
    left, right = st.columns([1, 3], vertical_alignment="center")
    with left:
        thumbnail(data, example.photo)
    with right:
        st.markdown(f"**{plain(example.hypothesis)}**")
        st.caption(
            f"BLEU-1 {example.bleu[0]:.0f}, BLEU-4 {example.bleu[3]:.0f}. Others wrote: "
            + "; ".join(plain(text) for text in example.references[:3])
        )
        if example.wrong_words:
            st.caption(f"Wrong here: **{plain(', '.join(example.wrong_words))}**.")
        st.button(
            "Take it apart",
            icon=":material/calculate:",
            type="tertiary",
            key=f"scores.examples.{key}",
            on_click=_take_apart,
            args=(example,),
        )


def _take_apart(example: MisleadingScore) -> None:
    look_at(example.photo.name)
    st.session_state["scores.own"] = example.hypothesis


@st.cache_data(max_entries=2, show_spinner=False)
def _misleading(name: str, _data: Explored) -> tuple[list[MisleadingScore], list[MisleadingScore]]:
    dataset = _data.dataset
    agreement = with_progress(
        "Scoring the captions…",
        lambda report: open_agreement(dataset, _SPLIT, on_progress=report),
    )
    return right_but_low(dataset, agreement), wrong_but_high(dataset, _SPLIT)


def show_mistakes(page: LessonPage, text: str, references: tuple[str, ...], crowd: Crowd) -> None:
    """Show what smoothing does to one sentence, and what common mistakes do to many."""
    page.heading("Smoothing, and common mistakes in tutorials")
    page.text(
        "A single sentence often shares no sequence of four words with people's captions; then its "
        "BLEU-4 is 0. Smoothing replaces the zero with a small number. So do not compare a "
        "smoothed score with one that is not smoothed."
    )
    method = st.segmented_control(
        "Smoothing",
        SMOOTHINGS,
        default=SMOOTHINGS[0],
        required=True,
        key="scores.smoothing",
        bind="query-params",
    )
    smoothed = smooth_bleu(draw_bleu(text, references).score, method)
    page.formula(rf"\mathrm{{BLEU}}_4 = {smoothed_formula(smoothed)}")
    mistakes = _mistakes_in(crowd.name, crowd)
    page.table(
        {
            # In one column, so that a phone has room for the figures.
            "way of scoring": [f"{mistake.title}. {mistake.why}" for mistake in mistakes],
            **{
                f"BLEU-{n}": [f"{mistake.bleu[n - 1]:.1f}" for mistake in mistakes]
                for n in range(1, 5)
            },
        },
        caption=f"The same sentences in each line: for {crowd.name} (at most 200), the first "
        "caption of each photo, scored against the others. Only the first line can be compared "
        "with published scores.",
    )


@st.cache_data(max_entries=4, show_spinner="Looking for an example…")
def _duel_in(name: str, _crowd: Crowd) -> Duel | None:
    """Find the sentences that BLEU misjudges most among the first photos of a crowd."""
    return find_duel(_crowd.captions[:_SEARCHED])


@st.cache_data(max_entries=4, show_spinner="Scoring in eight ways…")
def _mistakes_in(name: str, _crowd: Crowd) -> list[ScoredAs]:
    """Score people's first captions against the others, correctly and with common mistakes."""
    photos = [texts for texts in _crowd.captions[:_SEARCHED] if len(texts) > 1]
    return score_as_tutorials_do([texts[0] for texts in photos], [texts[1:] for texts in photos])
