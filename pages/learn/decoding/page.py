"""Lesson 6: from probabilities to a sentence, by the likeliest word or by sampling."""

import math

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning.errors import CaptioningError
from captioning.lessons.decoding import Chances, draw_sentence, softmax_formula, temper
from captioning.lessons.lexicon import content_places
from captioning.lessons.numpy_decoder import NEVER, Written
from captioning.text import tokenize
from captioning.vocabulary import EOS
from pages.learn import inspector
from pages.learn.decoding.beam import show_beam, show_duel
from pages.learn.figures import paired_bars
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.subject import BY_SUBJECT, Subject
from pages.ui.components import problem
from pages.ui.pictures import true_sentences
from pages.ui.theme import Look
from pages.ui.wording import counted, percent, plain

IDEA = (
    "At every place the decoder gives each word of its vocabulary a probability, and nothing more. "
    "Which word is taken, and so which sentence is written, is decided afterwards by a rule that "
    "you can choose."
)


def show() -> None:
    """Show the lesson."""
    page = open_lesson("decoding", IDEA)
    try:
        if page.subject.words:
            _show_parts(page)
        else:
            st.info("The model wrote no word about this photo. Choose another photo.")
    except CaptioningError as error:
        problem(error)
    page.papers(_PAPERS)
    page.close()


def _show_parts(page: LessonPage) -> None:
    subject = page.subject
    place = page.step("Word of the caption", subject.words, first=_least_sure_place(subject))
    left, right = st.columns([1, 3], gap="large", vertical_alignment="center")
    with left:
        page.photo(240)
    before = " ".join(subject.words[:place])
    with right:
        start = (
            f"The sentence so far: **{plain(before)} …**" if before else "No word is written yet."
        )
        answer = page.guess(
            "next",
            f"{start} Which word comes next?",
            lambda: _next_word(subject, place),
            about=place,
        )
    if answer is None:
        page.say_more_follows()
    else:
        show_chances(page, place)
        show_draws(page)
        show_beam(page)
    show_duel(page)
    page.questions(_questions(subject))


def _next_word(subject: Subject, place: int) -> Answer:
    """Say how the photo's captions continue, or how the model would if none begins like this."""
    log_probs = inspector.reading(subject).steps[place].log_probs[0]
    top = inspector.word_of(subject.vocabulary, int(log_probs.argmax()))
    likely = f"To the model, {plain(top)} has {percent(float(log_probs.max()))} here"
    references = subject.references or true_sentences(subject.name)
    given = continuations(references, subject.words[:place])
    if given:
        return Answer(
            given, model=top, because=f"The captions that begin like this continue so. {likely}."
        )
    return Answer(
        [top],
        because=f"{likely}. No caption of this photo begins like this, so the model's likeliest "
        "word counts.",
    )


def _least_sure_place(subject: Subject) -> int:
    """Return the place of the least probable content word, where a guess is hardest."""
    log_probs = inspector.reading(subject).log_probs
    return min(content_places(subject.words), key=lambda place: float(log_probs[place]))


def continuations(references: tuple[str, ...], before: list[str]) -> list[str]:
    """Return the words with which captions that begin like `before` continue, most common first.

    >>> continuations(("A red kite.", "A red dog", "a red kite!", "Two"), ["a", "red"])
    ['kite', 'dog']
    """
    rows = [tokenize(text) for text in references]
    found = [
        row[len(before)] for row in rows if row[: len(before)] == before and len(row) > len(before)
    ]
    return sorted(dict.fromkeys(found), key=lambda word: -found.count(word))


def _questions(subject: Subject) -> list[Question]:
    return [
        Question("How likely is the whole caption?", lambda: _whole(subject)),
        Question("At which word was the model least sure?", lambda: _least_sure(subject)),
        Question(
            "How many words would you have to keep at each place to hold 90% of the probability?",
            lambda: _nine_tenths(subject),
        ),
    ]


def _whole(subject: Subject) -> str:
    log_probs = inspector.reading(subject).log_probs
    product = " x ".join(f"{math.exp(value):.2f}" for value in log_probs)
    return (
        f"The product of its words' probabilities and of the end's: {product} = "
        f"**{percent(sum(log_probs))}**. Logarithms are added instead: {sum(log_probs):.3f}. Every "
        "further word makes a sentence less likely; that is why beam search divides by a power of "
        "the length."
    )


def _least_sure(subject: Subject) -> str:
    log_probs = inspector.reading(subject).log_probs
    words = [*subject.words, inspector.END]
    lowest = int(np.argmin(log_probs))
    rivals = inspector.reading(subject).steps[lowest].log_probs[0]
    top = inspector.word_of(subject.vocabulary, int(rivals.argmax()))
    return (
        f"At **{plain(words[lowest])}**, place {lowest + 1}: {percent(log_probs[lowest])}. The "
        f"likeliest word there was {plain(top)} with {percent(float(rivals.max()))}."
    )


def _nine_tenths(subject: Subject) -> str:
    counts = []
    for step in inspector.reading(subject).steps:
        sums = np.cumsum(np.sort(np.exp(step.log_probs[0]))[::-1])
        counts.append(int(np.searchsorted(sums, 0.9)) + 1)
    words = [*subject.words, inspector.END]
    most = int(np.argmax(counts))
    sayable = len(subject.vocabulary) - EOS
    return (
        f"From {min(counts)} to **{max(counts)}**, of {sayable - 1:,} words and the end; most "
        f"at **{plain(words[most])}**. A fixed top-k keeps too few words there or too many "
        "elsewhere. This is why top-p exists."
    )


_PAPERS = [
    Paper(
        "Beam Search Strategies for Neural Machine Translation",
        "Freitag and Al-Onaizan",
        2017,
        "https://arxiv.org/abs/1702.01806",
    ),
    Paper(
        "Google's Neural Machine Translation System (length penalty)",
        "Wu et al.",
        2016,
        "https://arxiv.org/abs/1609.08144",
    ),
    Paper(
        "Hierarchical Neural Story Generation (top-k)",
        "Fan, Lewis and Dauphin",
        2018,
        "https://arxiv.org/abs/1805.04833",
    ),
    Paper(
        "The Curious Case of Neural Text Degeneration (top-p)",
        "Holtzman et al.",
        2019,
        "https://arxiv.org/abs/1904.09751",
    ),
    Paper(
        "Show and Tell: A Neural Image Caption Generator",
        "Vinyals et al.",
        2015,
        "https://arxiv.org/abs/1411.4555",
    ),
]


_BARS = 10
_DRAWN = 5


def show_chances(page: LessonPage, place: int) -> None:
    """Show the next word's probabilities, before and after the three settings."""
    subject = page.subject
    page.heading("The next word: temperature, top-k and top-p")
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
    """Draw whole sentences with the settings; another draw number draws others."""
    page.heading("Sentences drawn at random")
    temperature, top_k, top_p = _settings_in_use()
    seed = int(
        st.number_input(
            "Draw number", 1, 999, 1, key="decoding.seed", bind="query-params", width=160
        )
    )
    drawn = _drawn(page.subject, seed, temperature, top_k, top_p)
    sentences = [page.subject.vocabulary.decode(written.ids) for written in drawn]
    page.table(
        {
            "drawn": [sentence or "(no words)" for sentence in sentences],
            "log-probability": [f"{written.log_prob:.2f}" for written in drawn],
            "probability": [percent(written.log_prob) for written in drawn],
        },
        caption=f"{counted(len(set(sentences)), 'different sentence')} of {len(sentences)}, at "
        f"temperature {temperature:g}, {_cut_in_words(top_k, top_p)}. Another draw number gives "
        "other sentences; the same number and settings always give the same.",
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
            help="Divides the scores. Below 1, likely words become likelier; above 1, all become "
            "more equal.",
        )
        top_k = st.slider(
            "Top-k (0: all)",
            0,
            20,
            0,
            key="decoding.top_k",
            bind="query-params",
            help="Keep only the k likeliest words.",
        )
        top_p = st.slider(
            "Top-p",
            0.05,
            1.0,
            1.0,
            0.05,
            key="decoding.top_p",
            bind="query-params",
            help="Keep the likeliest words until their probabilities add up to this.",
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
        return f"All {words - 1:,} words and the end can be drawn; the first {_BARS} are shown."
    return (
        f"{chances.kept:,} of {words - 1:,} words and the end can be drawn. Together they had "
        f"{held:.1%}, so each is divided by {held:.3f}; then their sum is 1 again."
    )


def _chart(words: list[str], chances: Chances, look: Look) -> alt.Chart:
    colours = {"as the model has it": look.border, "to draw from": look.accent}
    table = pd.DataFrame(
        {"word": word, "what": kind, "share": float(share)}
        for kind, shares in zip(colours, (chances.before, chances.after), strict=True)
        for word, share in zip(words, shares, strict=False)
    )
    return paired_bars(table, "what", colours, words, 13)


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=BY_SUBJECT)
def _drawn(
    subject: Subject, seed: int, temperature: float, top_k: int, top_p: float
) -> list[Written]:
    decoder = inspector.decoder(subject.bundle)
    numbers = np.random.default_rng(seed).random((decoder.config.max_length, 1, _DRAWN))
    return [
        draw_sentence(
            decoder,
            inspector.memory(subject),
            numbers[:, 0, place],
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        for place in range(_DRAWN)
    ]


if __name__ == "__main__":
    show()
