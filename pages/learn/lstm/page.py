"""Lesson 4: one LSTM cell, opened at any word of the caption."""

import numpy as np
import streamlit as st

from captioning.decoders import DECODERS
from captioning.errors import CaptioningError
from captioning.lessons.numpy_lstm import Switches
from pages.learn import inspector
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.lstm.cell import show_cell, show_photo, show_through_sentence
from pages.learn.lstm.gates import show_fading, show_held_gates
from pages.learn.lstm.units import show_units
from pages.learn.subject import Subject
from pages.ui.components import problem
from pages.ui.wording import plain

__all__ = ["show"]

IDEA = (
    "An LSTM reads the sentence word by word and keeps what it has read as a row of numbers, its "
    "memory. Three gates decide, for each of these numbers, how much is kept, how much is written "
    "anew, and how much is shown."
)


def show() -> None:
    """Show the lesson."""
    page = open_lesson("lstm", IDEA)
    try:
        if page.subject.bundle.decoder.cell == "gru":
            st.info("This model has a GRU. Choose a model with an LSTM to open its cell.")
        elif page.subject.words:
            _show_parts(page)
        else:
            st.info("The model wrote no word about this photo. Choose another photo.")
        _show_gru(page)
    except CaptioningError as error:
        problem(error)
    page.close()


def _show_parts(page: LessonPage) -> None:
    subject = page.subject
    place = page.step("Word of the caption", subject.words, first=1)
    show_photo(page, place)
    answer = page.guess(
        "changed",
        "Reading which word of this sentence changes the LSTM's memory most?",
        lambda: most_changing_word(subject),
        options=_told_apart(subject.words),
    )
    show_cell(page, place)
    if answer is not None:
        show_through_sentence(page, place)
    show_held_gates(page)
    show_units(page)
    show_fading(page)
    page.questions(_questions(subject, place))
    page.papers(_PAPERS)


def most_changing_word(subject: Subject) -> Answer:
    """Say at which word the cell state moves furthest, on average over its units."""
    changes = changes_by_word(subject)
    names, furthest = _told_apart(subject.words), int(np.argmax(changes))
    return Answer(
        right=[names[furthest]],
        because=f"The numbers of the memory move by {changes[furthest]:.2f} on average there; over "
        f"all words it is {np.mean(changes):.2f}.",
    )


def changes_by_word(subject: Subject) -> list[float]:
    """Return how far each word moves the cell state, on average over its units."""
    steps = inspector.reading(subject).steps[1:]
    return [float(np.abs(s.cell.cell - s.cell.cell_before).mean()) for s in steps]


def _told_apart(words: list[str]) -> list[str]:
    """Number the words, as a word may stand in a sentence twice."""
    return [f"{word} ({number})" for number, word in enumerate(words, start=1)]


def _questions(subject: Subject, place: int) -> list[Question]:
    return [
        Question(
            "Where in this sentence does the LSTM forget most?", lambda: _forgets_most(subject)
        ),
        Question(
            "What does it say if nothing new may ever be written into its memory?",
            lambda: _writes_nothing_new(subject),
        ),
        Question("How many numbers did this LSTM have to learn?", lambda: _weights(subject)),
    ]


def _forgets_most(subject: Subject) -> str:
    steps = inspector.reading(subject).steps[1:]
    means = [float(step.cell.values["forget"].mean()) for step in steps]
    lowest = int(np.argmin(means))
    word = plain(subject.words[lowest])
    return (
        f"While it reads **{word}**, word {lowest + 1}: there the forget gate is "
        f"{means[lowest]:.2f} on average over {subject.bundle.decoder.units:,} units, the lowest "
        f"of the sentence. The highest is {max(means):.2f}. (1 keeps everything, 0 keeps nothing.)"
    )


def _writes_nothing_new(subject: Subject) -> str:
    held = inspector.writing(subject, switches=Switches(input=0.0))
    free = inspector.writing(subject)
    said, usual = (subject.vocabulary.decode(w.ids) or "(nothing)" for w in (held, free))
    return (
        f"With the input gate at 0 throughout: **{plain(said)}**. As it learned: "
        f"**{plain(usual)}**. Both are written greedily, always the likeliest next word."
    )


def _weights(subject: Subject) -> str:
    weights = inspector.decoder(subject.bundle).weights
    inputs, units = len(weights.kernel), weights.units
    count = 4 * ((inputs + units) * units + units)
    return (
        f"Four dense layers, one a gate and one for what is written. Each has a weight from each "
        f"of the {inputs:,} numbers read and {units:,} numbers shown to each of its {units:,} "
        f"units, and a bias a unit: 4 x (({inputs:,} + {units:,}) x {units:,} + {units:,}) = "
        f"**{count:,}**. {DECODERS[subject.bundle.decoder.kind].cell_note}"
    )


def _show_gru(page: LessonPage) -> None:
    """Show the formulas of a GRU beside what they save."""
    page.heading("The GRU: two gates instead of three")
    page.text(
        "A GRU (gated recurrent unit) has one state instead of two. The update gate z decides how "
        "much of the state is kept; the rest is replaced by the candidate. The reset gate r "
        "decides how much of the old state the candidate uses."
    )
    page.formula(r"z = \sigma(x W_z + h U_z + b_z)")
    page.formula(r"r = \sigma(x W_r + h U_r + b_r)")
    page.formula(r"\tilde{h} = \tanh(x W + b + r \odot (h U + c))")
    page.formula(r"h_{new} = z \odot h + (1 - z) \odot \tilde{h}")
    page.text(
        "It needs three dense layers where the LSTM needs four, so a quarter fewer weights. To "
        "compare the two, train one model of each on the page New run (cell: gru or lstm)."
    )


_PAPERS = [
    Paper(
        "Long Short-Term Memory",
        "Hochreiter and Schmidhuber",
        1997,
        "https://doi.org/10.1162/neco.1997.9.8.1735",
    ),
    Paper(
        "Learning to Forget: Continual Prediction with LSTM",
        "Gers, Schmidhuber and Cummins",
        2000,
        "https://doi.org/10.1162/089976600300015015",
    ),
    Paper(
        "Learning Long-Term Dependencies with Gradient Descent is Difficult",
        "Bengio, Simard and Frasconi",
        1994,
        "https://doi.org/10.1109/72.279181",
    ),
    Paper(
        "Visualizing and Understanding Recurrent Networks",
        "Karpathy, Johnson and Fei-Fei",
        2015,
        "https://arxiv.org/abs/1506.02078",
    ),
]


if __name__ == "__main__":
    show()
