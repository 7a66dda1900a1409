"""Lesson 6: from probabilities to a sentence."""

import math

import numpy as np
import streamlit as st

from captioning.errors import CaptioningError
from captioning.lessons.lexicon import content_places
from captioning.text import tokenize
from captioning.vocabulary import EOS
from pages.learn import inspector
from pages.learn.decoding.beam import show_beam
from pages.learn.decoding.greedy_vs_beam import show_duel
from pages.learn.decoding.sampling import show_chances, show_draws
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.subject import Subject
from pages.ui.components import problem
from pages.ui.wording import percent, plain

__all__ = ["continuations", "show"]

IDEA = (
    "At every place the decoder gives each word of its vocabulary a probability, and that is all "
    "it does. Which word is taken, and so which sentence is written, is decided afterwards, by a "
    "rule that you can choose."
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
        said = f"The sentence so far: **{plain(before)} …**" if before else "Nothing is said yet."
        answer = page.guess(
            "next",
            f"{said} Which word comes next?",
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
    """Say how the photo's captions go on, or, where none begins so, how the model would."""
    log_probs = inspector.reading(subject).steps[place].log_probs[0]
    top = inspector.word_of(subject.vocabulary, int(log_probs.argmax()))
    likely = f"To the model, {plain(top)} has {percent(float(log_probs.max()))} here"
    given = continuations(subject.references, subject.words[:place])
    if given:
        return Answer(given, model=top, because=f"So go on its captions that begin so. {likely}.")
    return Answer(
        [top],
        because=f"{likely}. No caption of this photo at hand begins so, hence the model's "
        "likeliest word is what counts.",
    )


def _least_sure_place(subject: Subject) -> int:
    """Return the place of the least probable content word: there is most to guess."""
    log_probs = inspector.reading(subject).log_probs
    return min(content_places(subject.words), key=lambda place: float(log_probs[place]))


def continuations(references: tuple[str, ...], before: list[str]) -> list[str]:
    """Return the words with which captions that begin like `before` go on, the usual one first.

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
    said = inspector.reading(subject).log_probs
    product = " x ".join(f"{math.exp(value):.2f}" for value in said)
    return (
        f"The product of its words' probabilities and of the end's: {product} = "
        f"**{percent(sum(said))}**. As logarithms they are added: {sum(said):.3f}. A sentence can "
        "only get less likely by going on, which is why beam search divides by a power of the "
        "length."
    )


def _least_sure(subject: Subject) -> str:
    said = inspector.reading(subject).log_probs
    words = [*subject.words, inspector.END]
    lowest = int(np.argmin(said))
    rivals = inspector.reading(subject).steps[lowest].log_probs[0]
    top = inspector.word_of(subject.vocabulary, int(rivals.argmax()))
    return (
        f"At **{plain(words[lowest])}**, place {lowest + 1}: {percent(said[lowest])}. The "
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
        f"From {min(counts)} to **{max(counts)}**, of {sayable:,} that can be said; most at "
        f"**{plain(words[most])}**. A fixed top-k keeps too few words there or too many "
        "elsewhere: that is the case for top-p."
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


if __name__ == "__main__":
    show()
