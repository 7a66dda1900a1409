"""The next word's chances before and after temperature, top-k and top-p, and sentences drawn."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning.lessons.decoding import Chances, draw_sentence, softmax_formula, temper
from captioning.lessons.numpy_decoder import NEVER, Written
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.paired_bars import paired_bars
from pages.learn.subject import Subject
from pages.ui.theme import Look
from pages.ui.wording import counted, percent

__all__ = ["show_chances", "show_draws"]

_BARS = 10
_DRAWN = 5


def show_chances(page: LessonPage, place: int) -> None:
    """Show the next word's probabilities, and what the three settings make of them."""
    subject = page.subject
    page.heading("The next word, before and after the cut")
    temperature, top_k, top_p = _choose_settings()
    step = inspector.reading(subject).steps[place]
    chances = temper(step.log_probs[0], temperature=temperature, top_k=top_k, top_p=top_p)
    words = [inspector.word_of(subject.vocabulary, int(token)) for token in chances.ids[:_BARS]]
    page.chart(
        _chart(words, chances, page.look),
        alt="Probability of the next word, as the model has it and to draw from: "
        + "; ".join(
            f"{word} {before:.1%}, {after:.1%}"
            for word, before, after in zip(words, chances.before, chances.after, strict=False)
        ),
        table={
            "word": words,
            "as the model has it": [f"{share:.1%}" for share in chances.before[:_BARS]],
            "to draw from": [f"{share:.1%}" for share in chances.after[:_BARS]],
        },
    )
    page.text(_kept(chances))
    logits = np.where(step.log_probs[0] < NEVER / 2, NEVER, step.logits[0])
    page.text(f"The first bar's arithmetic, for “{words[0]}” at temperature {temperature:g}:")
    page.formula(softmax_formula(logits, int(chances.ids[0]), temperature))
    page.code("captioning.lessons.decoding", "temper")


def show_draws(page: LessonPage) -> None:
    """Draw whole sentences with the settings, and let them be drawn anew."""
    page.heading("Sentences drawn by lot")
    temperature, top_k, top_p = _settings_in_use()
    seed = int(
        st.number_input(
            "Draw number", 1, 999, 1, key="decoding.seed", bind="query-params", width=160
        )
    )
    drawn = _drawn(page.subject.key, seed, temperature, top_k, top_p, page.subject)
    sentences = [page.subject.vocabulary.decode(written.ids) for written in drawn]
    page.table(
        {
            "drawn": [sentence or "(no words)" for sentence in sentences],
            "log-probability": [f"{written.log_prob:.2f}" for written in drawn],
            "probability": [percent(written.log_prob) for written in drawn],
        },
        caption=f"{counted(len(set(sentences)), 'different sentence')} of {len(sentences)}, at "
        f"temperature {temperature:g}, {_cut_in_words(top_k, top_p)}. Another draw number draws "
        "anew; the same number and settings always draw the same.",
    )
    page.code("captioning.lessons.decoding", "draw_sentence")


def _choose_settings() -> tuple[float, int, float]:
    with st.grid(3, min_column_width=200):
        temperature = st.slider(
            "Temperature",
            0.1,
            2.5,
            1.0,
            0.1,
            key="decoding.temperature",
            bind="query-params",
            help="Divides the scores: below 1 likely words gain, above 1 all come closer.",
        )
        top_k = st.slider(
            "Top-k (0: all)",
            0,
            20,
            0,
            key="decoding.top_k",
            bind="query-params",
            help="Keep so many of the likeliest words.",
        )
        top_p = st.slider(
            "Top-p",
            0.05,
            1.0,
            1.0,
            0.05,
            key="decoding.top_p",
            bind="query-params",
            help="Keep the fewest likeliest words whose probabilities reach this sum.",
        )
    return temperature, top_k, top_p


def _settings_in_use() -> tuple[float, int, float]:
    """Return the settings also while their sliders are hidden behind the guess."""
    state = st.session_state
    return (
        float(state.get("decoding.temperature", 1.0)),
        int(state.get("decoding.top_k", 0)),
        float(state.get("decoding.top_p", 1.0)),
    )


def _cut_in_words(top_k: int, top_p: float) -> str:
    cuts = [f"top-k {top_k}"] * (top_k > 0) + [f"top-p {top_p:g}"] * (top_p < 1)
    return " and ".join(cuts) or "no word cut"


def _kept(chances: Chances) -> str:
    words = int((chances.heated > 0).sum())
    held = float(chances.heated[: chances.kept].sum())
    if chances.kept == words:
        return f"All {words:,} words can be drawn; the first {_BARS} are shown."
    return (
        f"{counted(chances.kept, 'word')} of {words:,} can be drawn. Together they had {held:.1%}, "
        f"so each is divided by {held:.3f} and their sum is 1 again."
    )


def _chart(words: list[str], chances: Chances, look: Look) -> alt.Chart:
    colours = {"as the model has it": look.border, "to draw from": look.accent}
    table = pd.DataFrame(
        {"word": word, "what": kind, "share": float(share)}
        for kind, shares in zip(colours, (chances.before, chances.after), strict=True)
        for word, share in zip(words, shares, strict=False)
    )
    return paired_bars(table, "what", colours, words, 13)


@st.cache_data(max_entries=128, show_spinner=False)
def _drawn(
    key: tuple[str, int, str],
    seed: int,
    temperature: float,
    top_k: int,
    top_p: float,
    _subject: Subject,
) -> list[Written]:
    decoder = inspector.decoder(_subject.bundle)
    numbers = np.random.default_rng(seed).random((decoder.config.max_length, 1, _DRAWN))
    return [
        draw_sentence(
            decoder,
            inspector.memory(_subject),
            numbers[:, 0, place],
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        for place in range(_DRAWN)
    ]
