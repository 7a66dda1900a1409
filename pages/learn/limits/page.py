"""Lesson 9: which words come from habit, and what the model does with what it never saw."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from captioning.errors import CaptioningError
from captioning.lessons.lexicon import SMALL_WORDS
from captioning.lessons.limits import ODD_PICTURES
from captioning.lessons.worksheet import Table
from pages.learn.figures import show_image
from pages.learn.frame import LessonPage, Paper, open_lesson
from pages.learn.guessing import Answer
from pages.learn.limits import data
from pages.learn.limits.bias import show_bias, show_changes
from pages.learn.limits.drawing import END, draw_evidence
from pages.learn.limits.questions import questions_about
from pages.ui import cache
from pages.ui.components import problem, prose
from pages.ui.wording import percent, plain

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.explain import Evidence

__all__ = ["show"]

IDEA = (
    "The model always writes a sentence, whatever you show it, and partly from habit: some words "
    "come from the photo, rightly or wrongly, others from training. Find out which."
)
PHOTO, HABIT = "the photo", "habit"
_PAPERS = (
    Paper(
        "Understanding Blind People's Experiences with Computer-Generated Captions of Social "
        "Media Images",
        "MacLeod, Bennett, Morris and Cutrell", 2017, "https://doi.org/10.1145/3025453.3025814",
    ),
    Paper(
        "Captioning Images Taken by People Who Are Blind",
        "Gurari, Zhao, Zhang and Bhattacharya", 2020, "https://arxiv.org/abs/2002.08565",
    ),
    Paper(
        "'Person, Shoes, Tree. Is the Person Naked?' What People with Vision Impairments Want in "
        "Image Descriptions",
        "Stangl, Morris and Gurari", 2020, "https://doi.org/10.1145/3313831.3376404",
    ),
    Paper(
        "Women also Snowboard: Overcoming Bias in Captioning Models",
        "Burns, Hendricks, Saenko, Darrell and Rohrbach", 2018, "https://arxiv.org/abs/1803.09797",
    ),
    Paper(
        "Object Hallucination in Image Captioning",
        "Rohrbach, Hendricks, Burns, Darrell and Saenko", 2018, "https://arxiv.org/abs/1809.02156",
    ),
)  # fmt: skip


def show() -> None:
    """Show the lesson."""
    page = open_lesson("limits", IDEA)
    for part in (_photo_or_habit, _odd_pictures, show_changes, show_bias):
        try:
            part(page)
        except CaptioningError as error:
            problem(error)
    _readers(page)
    page.code("captioning.explain", "seen_or_guessed")
    page.code("captioning.lessons.limits", "hallucinations")
    page.questions(questions_about(page))
    page.papers(_PAPERS)
    page.close()


def _photo_or_habit(page: LessonPage) -> None:
    """Ask of one word whether the photo or habit brought it."""
    page.heading("From the photo, or from habit")
    subject = page.subject
    copy, width = cache.preview(subject.picture.data, subject.picture.name)
    blank = data.said_of_blank(subject)
    left, right = st.columns(2, gap="medium")
    for column, picture, caption in (
        (left, copy, subject.caption),
        (right, blank.picture, blank.caption),
    ):
        what = "The photo" if picture is copy else "An evenly grey picture"
        with column:
            show_image(picture, alt=what, width=min(width, 320))
        column.markdown(f"#### {plain(caption.text) or '(nothing)'}")
        column.caption(how_sure(caption))
    words = subject.words
    if not words:
        return
    first = next((p for p, word in enumerate(words) if word not in SMALL_WORDS), 0)
    place = page.step("Word of the sentence", words, first=first)
    found = data.evidence(subject, " ".join(words))
    answer = page.guess(
        "seen",
        f"**{plain(words[place])}** {_after(words[:place])}. Did the photo bring the word, or "
        "habit? The photo did if it makes the word at least twice as likely as a grey picture "
        "does. That does not mean that the thing is there.",
        lambda: _origin(found, place),
        options=(PHOTO, HABIT),
        about=place,
    )
    if answer is not None:
        _evidence(page, found, place)


def _after(words: list[str]) -> str:
    return f"stands after *{plain(' '.join(words))}*" if words else "begins the sentence"


def how_sure(caption: "Caption") -> str:
    """Say as Markdown how sure the model was, by all that it can tell."""
    sum_of_logs = math.fsum(word.log_prob for word in caption.words)
    parts = [f"{percent(sum_of_logs / max(len(caption.words), 1))} a word on average"]
    if (confidence := getattr(caption, "confidence", None)) is not None:
        parts.append(f"confidence {100 * confidence:.0f}%")
    if (familiar := getattr(caption, "familiar", None)) is not None:
        parts.append("like its training photos" if familiar else "unlike its training photos")
    return "; ".join(parts) + "."


def _origin(found: "list[Evidence]", place: int) -> Answer:
    """Say where a word comes from; the model's guess is what it says without the photo."""
    word = found[place]
    times = math.exp(word.gain)
    right = PHOTO if times >= 2 else HABIT
    # Without the photo it can only ask whether the word was to be expected anyway.
    model = HABIT if word.blank > math.log(0.5) else PHOTO
    because = (
        f"With the photo it has {percent(word.seen)}, with a grey picture {percent(word.blank)}: "
        f"{times:.1f} times as much. The model's guess is 'habit' where the grey picture alone "
        "gives the word more than half."
    )
    return Answer((right,), model=model, because=because)


def _evidence(page: LessonPage, found: "list[Evidence]", place: int) -> None:
    spoken = ", ".join(
        f"{word.word or END} {percent(word.seen)} with and {percent(word.blank)} without"
        for word in found
    )
    page.picture(
        lambda look: draw_evidence(found, look),
        key=("evidence",),
        alt=f"Probability of each word with the photo and with a grey one: {spoken}.",
        width=720,
    )
    page.formula(gain_formula(found[place]))
    page.text(
        f"The photo makes '{found[place].word}' {math.exp(found[place].gain):.2f} times as likely "
        "(e to that number). Near 1 the words before say it already; below 1 the photo speaks "
        "against it."
    )


def gain_formula(word: "Evidence") -> str:
    """Write what the photo adds to a word as LaTeX."""
    return (
        rf"\ln {math.exp(word.seen):.5f} - \ln {math.exp(word.blank):.5f} = "
        rf"{word.seen:.3f} - ({word.blank:.3f}) = {word.gain:.3f}"
    )


def _odd_pictures(page: LessonPage) -> None:
    """Show it pictures that are no photos, made on the spot."""
    page.heading("Pictures it was never made for")
    page.text(
        "These are drawn here and now; none is a photo. The model has no word for 'I do not know', "
        "so it says what such a sentence usually is."
    )
    names = list(ODD_PICTURES)
    answer = page.guess(
        "odd",
        "On which of these is the model surest of its words?",
        lambda: _surest(page),
        options=tuple(names),
    )
    if answer is None:
        _gallery(names)
        return
    said = [data.said_of_odd(page.subject, name) for name in names]
    with st.grid(3, min_column_width=200):
        for one in said:
            with st.container(gap="xsmall", border=True):
                show_image(one.picture, alt=one.name)
                st.markdown(f"**{plain(one.caption.text) or '(nothing)'}**")
                st.caption(f"{one.name}: {how_sure(one.caption)}")
    page.keep(_table(said))


def _gallery(names: list[str]) -> None:
    with st.grid(4, min_column_width=140):
        for name in names:
            with st.container(border=True):
                show_image(data.odd_file(name), alt=name)
                st.caption(name)


def _surest(page: LessonPage) -> Answer:
    subject = page.subject
    said = [data.said_of_odd(subject, name) for name in ODD_PICTURES]
    best = max(said, key=lambda one: one.log_prob_a_word)
    own = math.fsum(word.log_prob for word in subject.caption.words)
    of_photo = percent(own / max(len(subject.caption.words), 1))
    because = (
        f"There its words have {percent(best.log_prob_a_word)} on average; on the photo at hand "
        f"they have {of_photo}. A high probability says the sentence is usual, not that it is true."
    )
    return Answer((best.name,), because=because)


def _table(said: "list[data.Said]") -> Table:
    rows = [(one.name, one.caption.text, how_sure(one.caption)) for one in said]
    return Table(["picture", "what it says", "how sure"], rows)


def _readers(page: LessonPage) -> None:
    """Say what readers who cannot check the photo need, with sources."""
    page.heading("Who reads a caption without the photo")
    prose("learn-limits-readers")


if __name__ == "__main__":
    show()
