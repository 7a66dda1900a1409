"""Lesson 3: how words become numbers, and sentences become training rows."""

import random

import numpy as np
import streamlit as st

from captioning.errors import CaptioningError
from captioning.lessons.lexicon import are_related, content_places
from captioning.lessons.words import Neighbour, WordMap, cosine, follow, neighbours, word_map
from captioning.vocabulary import SPECIAL
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.subject import BY_MODEL, Subject
from pages.learn.words.drawing import draw_map, draw_vector
from pages.learn.words.rows import show_rows
from pages.ui.components import problem
from pages.ui.wording import plain

IDEA = (
    "A network cannot read letters. Each word of its vocabulary has a number, and for that number "
    "it has learned a row of numbers, the word's vector. Words that are used in similar ways get "
    "vectors that point in similar directions."
)
_NEAREST = 8
_ON_MAP = 40
_ENDS = 6
_FIRST_WORDS = ("red", "man", "girl", "boys", "beach", "big")
_SHOWN_NUMBERS = 4


def show() -> None:
    """Show the lesson."""
    page = open_lesson("words", IDEA)
    try:
        word = _choose_word(page.subject)
        if _guess_neighbour(page, word) is None:
            page.say_more_follows()
        else:
            _vectors(page, word)
            _map(page, word)
        _vocabulary(page)
        show_rows(page)
    except CaptioningError as error:
        problem(error)
    page.code("captioning.lessons.words", "neighbours")
    page.questions(
        [
            Question(
                "Which two words of this caption have the most similar vectors?",
                lambda: _closest_pair(page.subject),
            ),
            Question(
                "Which word of the whole vocabulary has the longest vector?",
                lambda: _longest(page.subject),
            ),
            Question(
                "What happens to a sentence of unknown words?",
                lambda: _unknown(page.subject),
            ),
        ]
    )
    page.papers(_PAPERS)
    page.close()


_PAPERS = [
    Paper(
        "A Neural Probabilistic Language Model",
        "Bengio, Ducharme, Vincent and Jauvin",
        2003,
        "https://www.jmlr.org/papers/v3/bengio03a.html",
    ),
    Paper(
        "Efficient Estimation of Word Representations in Vector Space",
        "Mikolov, Chen, Corrado and Dean",
        2013,
        "https://arxiv.org/abs/1301.3781",
    ),
    Paper(
        "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks "
        "(teacher forcing)",
        "Williams and Zipser",
        1989,
        "https://doi.org/10.1162/neco.1989.1.2.270",
    ),
]


def _choose_word(subject: Subject) -> str:
    words = list(subject.vocabulary.words[len(SPECIAL) :])
    usual = _clear_word(subject)
    chosen: str = st.selectbox(
        "A word of the vocabulary",
        words,
        index=words.index(usual),
        key="words.word",
        bind="query-params",
        width=360,
    )
    return chosen


def _clear_word(subject: Subject) -> str:
    """Return a word whose nearest neighbour is easy to understand, from the caption if it has one.

    The nearest neighbour of a noun may be one that only does the same things in captions; a lesson
    should not begin with that.
    """
    own = [subject.words[place] for place in content_places(subject.words)]
    tried = [*own, *subject.words, *(word for word in _FIRST_WORDS if word in subject.vocabulary)]
    words = subject.vocabulary.words[len(SPECIAL) :]
    clear = (w for w in tried if are_related(w, _neighbours(subject, w)[0].word))
    return next(clear, (own or list(words))[0])


def _guess_neighbour(page: LessonPage, word: str) -> Answer | None:
    nearest = _neighbours(page.subject, word)[0].word
    others = [w for w in page.subject.vocabulary.words[len(SPECIAL) :] if w not in (word, nearest)]
    # The same options each time the page is drawn.
    lot = random.Random(word)  # noqa: S311 (no secret)
    options = [nearest, *lot.sample(others[:400], k=min(3, len(others)))]
    lot.shuffle(options)
    return page.guess(
        "neighbour",
        f"Which of these words has the vector most like that of **{plain(word)}**?",
        lambda: _neighbour_answer(page.subject, word, nearest),
        options=options,
        about=word,
    )


def _neighbour_answer(subject: Subject, word: str, nearest: str) -> Answer:
    vectors, ids = _embeddings(subject), subject.vocabulary

    def because(guess: str) -> str:
        best = cosine(vectors[ids.id(word)], vectors[ids.id(nearest)])
        text = f"The cosine of the angle between their vectors is {best:.3f}"
        if not guess or guess == nearest:
            return f"{text}."
        own = cosine(vectors[ids.id(word)], vectors[ids.id(guess)])
        return f"{text}, with your word {own:.3f}."

    return Answer(right=[nearest], because=because)


def _vectors(page: LessonPage, word: str) -> None:
    subject, vectors = page.subject, _embeddings(page.subject)
    found = _neighbours(subject, word)
    page.heading("The vector of a word, and its neighbours")
    shown = [word, *(near.word for near in found[:5])]
    rows = vectors[[subject.vocabulary.id(w) for w in shown]]
    page.picture(
        lambda look: draw_vector(shown, rows, look),
        key=("vectors", word),
        alt=f"The vectors of {', '.join(shown)} as rows of {rows.shape[1]} coloured cells.",
        caption=f"Each word is {rows.shape[1]} numbers. Blue is below zero, red is above.",
        width=720,
    )
    page.table(
        {
            "neighbour": [near.word for near in found],
            "cosine": [f"{near.cosine:.3f}" for near in found],
            "number in the vocabulary": [f"{subject.vocabulary.id(n.word)}" for n in found],
        }
    )
    page.text(
        "Vectors are similar when words stand in the same places of sentences, not when they mean "
        "the same. That is why red and blue are near each other, and why dog may be near "
        "snowboarder: both jump and run in captions."
    )
    one, other = rows[0].astype(np.float64), rows[1].astype(np.float64)
    terms = " ".join(f"{value:+.3f}" for value in (one * other)[:_SHOWN_NUMBERS])
    lengths = rf"{np.linalg.norm(one):.3f} \cdot {np.linalg.norm(other):.3f}"
    page.formula(
        rf"\cos(a, b) = \frac{{a \cdot b}}{{|a| \, |b|}} = \frac{{{terms} \ldots}}{{{lengths}}}"
        rf" = \frac{{{one @ other:.4f}}}{{{np.linalg.norm(one) * np.linalg.norm(other):.4f}}}"
        rf" = {cosine(one, other):.4f}"
    )
    page.aside(f"Here *a* is the vector of {plain(word)} and *b* that of {plain(shown[1])}.")


def _map(page: LessonPage, word: str) -> None:
    subject = page.subject
    near = [found.word for found in _neighbours(subject, word)]
    marked = [word, *near]
    common = subject.vocabulary.words[len(SPECIAL) : len(SPECIAL) + _ON_MAP]
    words = tuple(dict.fromkeys([*marked, *common]))
    found = _word_map(subject, words)
    page.heading("A map of words")
    page.picture(
        lambda look: draw_map(found, marked, look),
        key=("map", word),
        alt=f"{len(words)} words as points; {word} and its neighbours {', '.join(near)} in bold.",
        caption=f"{len(words)} common or similar words, placed along the two directions in which "
        f"they differ most. The map shows {100 * sum(found.shares):.0f}% of all differences, so "
        "neighbours in the table may be far apart here.",
        width=720,
    )


def _vocabulary(page: LessonPage) -> None:
    words = page.subject.vocabulary.words
    page.heading("The vocabulary")
    page.text(
        f"This model knows {len(words) - len(SPECIAL):,} words, numbered from the most to the "
        f"least common, and {len(SPECIAL)} special marks: padding, unknown word, begin and end."
    )
    first = range(len(SPECIAL), min(len(SPECIAL) + _ENDS, len(words)))
    last = range(max(len(words) - len(first), len(SPECIAL)), len(words))
    marks = [f"{n}: {words[n]}" for n in range(len(SPECIAL))]
    page.table(
        {
            "marks": [*marks, *[""] * len(first)][: max(len(first), len(marks))],
            "most common": _padded([f"{n}: {words[n]}" for n in first], len(marks)),
            "least common": _padded([f"{n}: {words[n]}" for n in last], len(marks)),
        }
    )


def _padded(cells: list[str], least: int) -> list[str]:
    """Fill a column so that it is as long as the others."""
    return [*cells, *[""] * (least - len(cells))]


def _closest_pair(subject: Subject) -> str:
    vectors, words = _embeddings(subject), sorted(set(subject.words))
    pairs = [
        (cosine(vectors[subject.vocabulary.id(a)], vectors[subject.vocabulary.id(b)]), a, b)
        for place, a in enumerate(words)
        for b in words[place + 1 :]
    ]
    if not pairs:
        return "The caption has fewer than two different words."
    value, one, other = max(pairs)
    return f"**{plain(one)}** and **{plain(other)}**, with a cosine of {value:.3f}."


def _longest(subject: Subject) -> str:
    lengths = np.linalg.norm(_embeddings(subject)[len(SPECIAL) :], axis=1)
    place = int(lengths.argmax())
    return (
        f"**{plain(subject.vocabulary.words[len(SPECIAL) + place])}**, of length "
        f"{lengths[place]:.3f}; the mean over all words is {lengths.mean():.3f}. The length does "
        "not matter for the cosine, which compares only directions."
    )


def _unknown(subject: Subject) -> str:
    journey = follow("zyzzyva quokka xylem", subject.vocabulary)
    return (
        f"“zyzzyva quokka xylem” becomes the numbers {', '.join(map(str, journey.ids))}: "
        f"{len(journey.unknown)} of {len(journey.words)} words share the number of the unknown "
        "word, so they have the same vector and the model cannot distinguish them."
    )


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=BY_MODEL)
def _embeddings(subject: Subject) -> np.ndarray:
    """Return the word vectors, float32 `(V, E)`; not to be changed."""
    vectors: np.ndarray = np.asarray(subject.captioner.keras_decoder.embedding.get_weights()[0])
    return vectors


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_MODEL)
def _neighbours(subject: Subject, word: str) -> list[Neighbour]:
    return neighbours(_embeddings(subject), subject.vocabulary, word, top=_NEAREST)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_MODEL)
def _word_map(subject: Subject, words: tuple[str, ...]) -> WordMap:
    return word_map(_embeddings(subject), subject.vocabulary, words)


if __name__ == "__main__":
    show()
