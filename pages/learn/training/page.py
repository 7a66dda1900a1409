"""Lesson 8: what one step changes, whose words are read, two curves, and chance."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.errors import CaptioningError
from captioning.text import clean, tokenize
from pages.learn.frame import LessonPage, Paper, open_lesson
from pages.learn.guessing import Answer
from pages.learn.training import data
from pages.learn.training.curves import show_chance, show_curves, show_overfitting
from pages.learn.training.drawing import END, draw_words
from pages.learn.training.questions import questions_about
from pages.learn.training.teacher_forcing import show_forcing, show_push
from pages.ui.components import problem
from pages.ui.samples import true_sentences
from pages.ui.wording import counted, plain

if TYPE_CHECKING:
    from captioning.lessons.gradient_step import Learned

__all__ = ["show"]

IDEA = (
    "Training shows the model a photo and a sentence by a person, and moves every weight a little "
    "so that the sentence becomes likelier. Teach it one sentence yourself and see what moves."
)
_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_STEPS = (1, 5, 20)
_PAPERS = (
    Paper(
        "Learning representations by back-propagating errors",
        "Rumelhart, Hinton and Williams", 1986, "https://doi.org/10.1038/323533a0",
    ),
    Paper(
        "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks",
        "Williams and Zipser", 1989, "https://doi.org/10.1162/neco.1989.1.2.270",
    ),
    Paper(
        "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks",
        "Bengio, Vinyals, Jaitly and Shazeer", 2015, "https://arxiv.org/abs/1506.03099",
    ),
    Paper(
        "Reporting Score Distributions Makes a Difference",
        "Reimers and Gurevych", 2017, "https://arxiv.org/abs/1707.09861",
    ),
)  # fmt: skip


def show() -> None:
    """Show the lesson."""
    page = open_lesson("training", IDEA)
    for part in (_one_step, show_forcing, show_push, show_curves, show_overfitting, show_chance):
        try:
            part(page)
        except CaptioningError as error:
            problem(error)
    page.tool_link()
    page.code("captioning.lessons.gradient_step", "Pupil.learn")
    page.questions(questions_about(page))
    page.papers(_PAPERS)
    page.close()


def _one_step(page: LessonPage) -> None:
    """Teach a copy of the model one sentence."""
    page.heading("One step, on your sentence")
    sentence, rate, steps = _choose(page)
    words = tokenize(sentence)
    answer = page.guess(
        "gain",
        f"A copy of the model learns *{plain(sentence)}* in {counted(steps, 'step')} of rate "
        f"{rate:g}. Which word's probability rises most?",
        lambda: _gain(data.learned(page.subject, sentence, rate, steps)),
        options=tuple(dict.fromkeys(words)),
        about=(sentence, rate, steps),
    )
    if answer is not None:
        _changes(page, data.learned(page.subject, sentence, rate, steps), sentence)


def _choose(page: LessonPage) -> tuple[str, float, int]:
    """Show the photo, and ask for a sentence, the learning rate and the number of steps."""
    subject = page.subject
    left, right = st.columns([1, 2], gap="medium")
    with left:
        page.photo(320)
    with right:
        first = _first_sentence(page)
        given = st.text_input(
            "A sentence to teach, of words the model knows",
            placeholder=first,
            key="training.sentence",
            bind="query-params",
            max_chars=200,
        )
        rate = st.select_slider(
            "Learning rate", _RATES, value=0.01, format_func=lambda r: f"{r:g}",
            key="training.rate",
        )  # fmt: skip
        steps = st.segmented_control(
            "Steps", _STEPS, default=1, required=True, key="training.steps", bind="query-params"
        )
        if not page.large:
            st.caption(f"The model's own sentence is **{plain(subject.caption.text)}**.")
    return clean(given) or first, rate, steps


def _first_sentence(page: LessonPage) -> str:
    """Return a sentence that is true of the photo and in words that the model knows."""
    subject = page.subject
    longest = subject.bundle.decoder.max_length - 1
    for text in (*subject.references, *true_sentences(subject.name)):
        words = tokenize(text)
        if len(words) <= longest and all(word in subject.vocabulary for word in words):
            return " ".join(words)
    return clean(subject.caption.text)


def _gain(learned: "Learned") -> Answer:
    """Say which word gained most; the model's guess is the word it found least likely."""
    best = learned.gained_most()
    doubted = min((w for w in learned.words if w.word), key=lambda word: word.before)
    because = (
        f"It went from {100 * best.before:.1f}% to {100 * best.after:.1f}%. The model's guess is "
        "the word it found least likely, whose loss is the largest."
    )
    return Answer((str(best.word),), model=doubted.word, because=because)


def _changes(page: LessonPage, learned: "Learned", sentence: str) -> None:
    """Show every word's probability before and after, the loss, one weight, and what else moved."""
    from captioning.lessons.gradient_step import loss_formula

    spoken = ", ".join(
        f"{word.word or END} {100 * word.before:.1f}% to {100 * word.after:.1f}%"
        for word in learned.words
    )
    page.picture(
        lambda look: draw_words(learned.words, look),
        key=("words", sentence, learned.rate, len(learned.losses)),
        alt=f"Probability of each word before and after: {spoken}.",
        width=720,
    )
    for line in loss_formula(learned.words):
        page.formula(line)
    page.text(
        f"The loss L was {learned.losses[0]:.3f} before, {learned.losses[1]:.3f} after the first "
        f"step and {learned.losses[-1]:.3f} at the end, in nats a word. In the brackets stands "
        "minus the natural logarithm of each word's probability."
    )
    page.heading("The same step at a single weight")
    page.text(
        "Each word has a bias, a number added to its score everywhere. Its slope is what the "
        "model gave the word on average, minus how often the sentence says it; the step goes "
        "against the slope."
    )
    _one_weight(page, learned)
    _elsewhere(page, learned)


def _one_weight(page: LessonPage, learned: "Learned") -> None:
    """Show the update of one bias with its numbers."""
    from captioning.lessons.gradient_step import bias_formula, slope_formula

    words = [step.word for step in learned.bias]
    chosen = st.segmented_control(
        "Bias of the word", words, default=words[0], required=True, key="training.bias"
    )
    step = next((s for s in learned.bias if s.word == chosen), learned.bias[0])
    page.formula(slope_formula(step))
    page.formula(bias_formula(step, learned.rate))


def _elsewhere(page: LessonPage, learned: "Learned") -> None:
    """Show what became of the captions, that of an empty photo too."""
    page.table(
        {
            "greedy sentence for": ["this photo", "an evenly grey photo, not taught"],
            "before": list(learned.before),
            "after": list(learned.after),
        },
        caption="A step moves weights that all photos share, so it also changes what the model "
        "says of photos it was not taught. Real training takes many photos a step for this reason.",
    )


if __name__ == "__main__":
    show()
