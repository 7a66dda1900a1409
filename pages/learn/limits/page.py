"""Lesson 9: which words come from habit, and what the model writes about unusual pictures."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from matplotlib.figure import Figure

from captioning.errors import CaptioningError
from captioning.lessons.lexicon import SMALL_WORDS
from captioning.lessons.limits import CHANGES, ODD_PICTURES, word_changes
from captioning.lessons.worksheet import Table
from pages.learn.figures import figure, show_image
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.inspector import END
from pages.learn.limits import data
from pages.learn.limits.bias import show_bias, show_changes, show_people
from pages.learn.limits.details import show_details
from pages.ui import cache
from pages.ui.components import problem, prose
from pages.ui.theme import Look
from pages.ui.wording import percent, plain

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.explain import Evidence

IDEA = (
    "The model always writes a sentence, whatever you show it, and partly from habit. Some words "
    "come from the photo, rightly or wrongly; others come from training. Find out which."
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
    for part in (_photo_or_habit, _odd_pictures, show_changes, show_bias, show_people):
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
    """Ask whether one word came from the photo or from habit."""
    page.heading("From the photo, or from habit")
    subject = page.subject
    copy, width = cache.preview(subject.picture.data, subject.picture.name)
    blank = data.caption_of_odd(subject, "even grey")
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
        f"**{plain(words[place])}** {_after(words[:place])}. Did the word come from the photo "
        "or from habit? From the photo, if the photo makes the word at least twice as likely as a "
        "grey picture does. That does not mean that the thing is there.",
        lambda: _origin(found, place),
        options=(PHOTO, HABIT),
        about=place,
    )
    if answer is not None:
        _evidence(page, found, place)
        show_details(page)


def _after(words: list[str]) -> str:
    return f"stands after *{plain(' '.join(words))}*" if words else "begins the sentence"


def how_sure(caption: "Caption") -> str:
    """Describe in Markdown how sure the model was, by every measure it has."""
    parts = [f"{percent(data.log_prob_a_word(caption))} a word on average"]
    if caption.level is not None:
        parts.append(f"the model is {caption.level}")
    if caption.familiar is not None:
        parts.append(f"{'like' if caption.familiar else 'unlike'} its training photos")
    return "; ".join(parts) + "."


def _origin(found: "list[Evidence]", place: int) -> Answer:
    """Return where a word comes from; the model's guess uses only the grey picture."""
    word = found[place]
    times = math.exp(word.gain)
    right = PHOTO if times >= 2 else HABIT
    # Without the photo it can only judge whether the word was likely anyway.
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
        "(e to the power of that number). Near 1, the words before it already suggest the word; "
        "below 1, the photo makes it less likely."
    )


def gain_formula(word: "Evidence") -> str:
    """Write what the photo adds to a word as LaTeX."""
    return (
        rf"\ln {math.exp(word.seen):.5f} - \ln {math.exp(word.blank):.5f} = "
        rf"{word.seen:.3f} - ({word.blank:.3f}) = {word.gain:.3f}"
    )


def _odd_pictures(page: LessonPage) -> None:
    """Show the model pictures that are not photos, drawn by the app."""
    page.heading("Pictures unlike its training photos")
    page.text(
        "The app draws these; none is a photo. The model has no words for 'I do not know', so it "
        "writes one of its usual sentences."
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
    captioned = [data.caption_of_odd(page.subject, name) for name in names]
    with st.grid(4, min_column_width=200):
        for one in captioned:
            with st.container(gap="xsmall", border=True):
                show_image(one.picture, alt=one.name)
                st.markdown(f"**{plain(one.caption.text) or '(nothing)'}**")
                st.caption(f"{one.name}: {how_sure(one.caption)}")
    page.keep(_table(captioned))


def _gallery(names: list[str]) -> None:
    with st.grid(4, min_column_width=140):
        for name in names:
            with st.container(border=True):
                show_image(data.odd_file(name), alt=name)
                st.caption(name)


def _surest(page: LessonPage) -> Answer:
    subject = page.subject
    captioned = [data.caption_of_odd(subject, name) for name in ODD_PICTURES]
    best = max(captioned, key=lambda one: data.log_prob_a_word(one.caption))
    of_photo = percent(data.log_prob_a_word(subject.caption))
    of_best = percent(data.log_prob_a_word(best.caption))
    because = (
        f"There its words have {of_best} on average; on this photo they have {of_photo}. A high "
        "probability means that the sentence is common, not that it is true."
    )
    return Answer((best.name,), because=because)


def _table(captioned: "list[data.Captioned]") -> Table:
    rows = [(one.name, one.caption.text, how_sure(one.caption)) for one in captioned]
    return Table(["picture", "what it writes", "how sure"], rows)


def _readers(page: LessonPage) -> None:
    """Say what readers who cannot check the photo need, with sources."""
    page.heading("Who reads a caption without the photo")
    prose("learn-limits-readers", large=page.large)


def questions_about(page: LessonPage) -> tuple[Question, ...]:
    """Return three questions about this photo and model."""
    return (
        Question(
            "Which word of the sentence would it write without any photo?",
            lambda: _habit(page),
        ),
        Question(
            "How many different sentences does it have for pictures that show nothing?",
            lambda: _nothing(page),
        ),
        Question(
            "Which change of the photo costs the most words?",
            lambda: _costly(page),
        ),
    )


def _habit(page: LessonPage) -> str:
    words = page.subject.words
    if not words:
        return "It wrote nothing."
    found = data.evidence(page.subject, " ".join(words))[:-1]
    habit = max(found, key=lambda word: word.blank)
    seen = max(found, key=lambda word: word.gain)
    return (
        f"Most of all **{plain(str(habit.word))}**: an evenly grey picture gives it "
        f"{percent(habit.blank)} after the same words. The word that owes most to the photo is "
        f"**{plain(str(seen.word))}**, {math.exp(seen.gain):.1f} times as likely with it."
    )


def _nothing(page: LessonPage) -> str:
    names = [name for name in ODD_PICTURES if name in ("even grey", "black", "white", "noise")]
    captioned = [data.caption_of_odd(page.subject, name) for name in names]
    different = {one.caption.text for one in captioned}
    lines = [
        f"- {one.name}: **{plain(one.caption.text) or '(nothing)'}**, "
        f"{percent(data.log_prob_a_word(one.caption))} a word"
        for one in captioned
    ]
    return "\n".join([f"{len(different)} for {len(captioned)} pictures:", *lines])


def _costly(page: LessonPage) -> str:
    own = page.subject.words
    lost = {}
    for name in CHANGES:
        changes = word_changes(own, data.caption_of_change(page.subject, name).words)
        lost[name] = sum(change.fate == "gone" for change in changes)
    worst = max(lost, key=lambda name: lost[name])
    losses = ", ".join(f"{name} {count}" for name, count in lost.items())
    return f"**{worst}**. Words lost, of {len(own)}: {losses}."


def draw_evidence(words: "Sequence[Evidence]", look: Look) -> Figure:
    """Draw each word's probability with the photo and without it."""
    made = figure(look, 5.4, 0.6 + 0.5 * len(words))
    axes = made.subplots()
    rows = range(len(words))
    seen = [100 * math.exp(word.seen) for word in words]
    blank = [100 * math.exp(word.blank) for word in words]
    axes.barh([r - 0.2 for r in rows], seen, 0.36, color=look.accent, label="with the photo")
    axes.barh(
        [r + 0.2 for r in rows],
        blank,
        0.36,
        facecolor=look.ground,
        edgecolor=look.text,
        hatch="///",
        label="with a grey one",
    )
    axes.set_yticks(list(rows), [word.word or END for word in words])
    axes.set_xlim(0, 100)
    axes.set_xlabel("probability of the word, %")
    axes.invert_yaxis()
    made.legend(loc="outside upper right", ncols=2, frameon=False)
    return made


if __name__ == "__main__":
    show()
