"""Teacher forcing and free running, in the lesson on training."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from captioning.analysis.bleu import sentence_scores
from captioning.lessons.lexicon import SMALL_WORDS
from captioning.text import clean, tokenize
from pages.learn.frame import LessonPage
from pages.learn.guessing import Answer
from pages.learn.training import data
from pages.learn.training.drawing import END
from pages.ui.samples import true_sentences
from pages.ui.wording import percent, plain

if TYPE_CHECKING:
    from captioning.lessons.training import ForcedWord

__all__ = ["show_forcing", "show_push"]


def show_forcing(page: LessonPage) -> None:
    """Let the model read true words before each place, and beside it its own."""
    page.heading("True words before, or its own")
    page.text(
        "In training the model reads the true words before each place (teacher forcing). When it "
        "captions a photo it has only its own words to go on from."
    )
    sentence = _sentence(page)
    if sentence is None:
        st.caption("Nobody described this photo in words that the model knows.")
        return
    words = tokenize(sentence)
    answer = page.guess(
        "forced",
        f"It reads the words of *{plain(sentence)}* one by one. At how many of the {len(words)} "
        "places would it have said the true word itself?",
        lambda: _count(data.forced(page.subject, sentence)),
        options=tuple(str(n) for n in range(len(words) + 1)),
        about=sentence,
    )
    if answer is not None:
        _beside(page, sentence, data.forced(page.subject, sentence))


def _sentence(page: LessonPage) -> str | None:
    """Choose the first sentence about the photo that the model can read."""
    subject = page.subject
    longest = subject.bundle.decoder.max_length - 1
    for text in (*subject.references, *true_sentences(subject.name)):
        words = tokenize(text)
        if words and len(words) <= longest and all(w in subject.vocabulary for w in words):
            return clean(text)
    return None


def _count(found: "list[ForcedWord]") -> Answer:
    """Count the true words; the model's guess is the sum of the probabilities it gives them."""
    right = sum(word.right for word in found[:-1])
    expected = math.fsum(math.exp(word.true_log_prob) for word in found[:-1])
    because = (
        f"The probabilities it gives the true words add up to {expected:.2f}, and that, rounded, "
        "is the model's guess."
    )
    return Answer((str(right),), model=str(round(expected)), because=because)


def _beside(page: LessonPage, sentence: str, found: "list[ForcedWord]") -> None:
    from captioning.lessons.training import forced_sentence

    words = tokenize(sentence)
    page.table(
        {
            "it has read": [
                " ".join(words[max(0, p - 3) : p]) or "(begin)" for p in range(len(found))
            ],
            "it would say": [word.said or END for word in found],
            "true word": [word.true or END for word in found],
            "which it gave": [percent(word.true_log_prob) for word in found],
            "": ["right" if word.right else "" for word in found],
        }
    )
    own = " ".join(data.own_words(page.subject))
    forced = forced_sentence(found)
    references = (sentence,)
    page.table(
        {
            "": ["after true words", "after its own words"],
            "sentence": [forced, own],
            "BLEU-1 against the true one": [
                f"{sentence_scores(text, references)[0]:.1f}" for text in (forced, own)
            ],
        },
        caption="Nobody ever wrote the first line: each of its words was said after the true ones. "
        "A score 'under teacher forcing' scores such lines, and tells little of what the model "
        "does alone.",
    )


def show_push(page: LessonPage) -> None:
    """Put a wrong word into the model's mouth, and see where it goes from there."""
    page.heading("Push it off the track")
    own = data.own_words(page.subject)
    if not own:
        st.caption("The model says nothing of this photo.")
        return
    first = next((p for p, word in enumerate(own) if word not in SMALL_WORDS), 0)
    place = page.step("Replace the word", own, first=first)
    other = data.rival(page.subject, place)
    if other is None:
        return
    pushed = data.own_words(page.subject, (*own[:place], other))
    page.text(
        f"In place of '{own[place]}' it is given '{other}', its second choice there, and goes on "
        "alone. An early slip can turn the rest, because every later word is read after it."
    )
    changed = sum(a != b for a, b in zip(own[place + 1 :], pushed[place + 1 :], strict=False))
    changed += abs(len(own) - len(pushed))
    page.table(
        {
            "": ["alone", "pushed"],
            "sentence": [" ".join(own), " ".join(pushed)],
        },
        caption=f"Words after the push that are not as before: {changed}.",
    )
