"""The questions of the lesson on limits, answered by the live model."""

import math

from captioning.lessons.limits import CHANGES, ODD_PICTURES, word_changes
from pages.learn.frame import LessonPage, Question
from pages.learn.limits import data
from pages.ui.wording import percent, plain

__all__ = ["questions_about"]


def questions_about(page: LessonPage) -> tuple[Question, ...]:
    """Return three questions on the photo and model at hand."""
    return (
        Question(
            "Which word of the sentence would it say with no photo at all?",
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
        return "It said nothing."
    found = data.evidence(page.subject, " ".join(words))[:-1]
    habit = max(found, key=lambda word: word.blank)
    seen = max(found, key=lambda word: word.gain)
    return (
        f"Most of all **{plain(str(habit.word))}**: an evenly grey picture gives it "
        f"{percent(habit.blank)} after the same words. What it owes most to the photo is "
        f"**{plain(str(seen.word))}**, {math.exp(seen.gain):.1f} times as likely with it."
    )


def _nothing(page: LessonPage) -> str:
    names = [name for name in ODD_PICTURES if name in ("even grey", "black", "white", "noise")]
    said = [data.said_of_odd(page.subject, name) for name in names]
    different = {one.caption.text for one in said}
    lines = [
        f"- {one.name}: **{plain(one.caption.text) or '(nothing)'}**, "
        f"{percent(one.log_prob_a_word)} a word"
        for one in said
    ]
    return "\n".join([f"{len(different)} for {len(said)} pictures:", *lines])


def _costly(page: LessonPage) -> str:
    own = page.subject.words
    lost = {}
    for name in CHANGES:
        changes = word_changes(own, data.said_of_change(page.subject, name).words)
        lost[name] = sum(change.fate == "gone" for change in changes)
    worst = max(lost, key=lambda name: lost[name])
    told = ", ".join(f"{name} {count}" for name, count in lost.items())
    return f"**{worst}**. Words lost of {len(own)}: {told}."
