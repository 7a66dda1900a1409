"""The data of the lesson on scores: people's sentences, and how rare each n-gram is."""

from dataclasses import dataclass
from random import Random

import streamlit as st

from captioning.datasets import Photo
from captioning.datasets.shapes.scene import describe, draw_lots
from captioning.errors import CaptioningError
from captioning.lessons.bleu import ScoredAs, score_as_tutorials_do
from captioning.lessons.caption_edits import Duel, find_duel
from captioning.metrics import DocumentFrequencies
from captioning.text import tokenize
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui import cache
from pages.ui.samples import SAMPLES, true_sentences

_DRAWN = 200
_FEW = 50
_SEARCHED = 200


@dataclass(frozen=True)
class Crowd:
    """The captions of many photos.

    Attributes:
        name: of the data, as a sentence names it.
        captions: by photo.
        frequencies: in the captions of how many of these photos an n-gram occurs.
    """

    name: str
    captions: tuple[tuple[str, ...], ...]
    frequencies: DocumentFrequencies


def crowd_for(page: LessonPage) -> Crowd:
    """Return the captions to count over: drawn shapes for drawn shapes, else the data set."""
    name = page.subject.name
    if name in SAMPLES and "triangle" in page.subject.vocabulary:
        return _drawn()
    try:
        return _of_data_set(cache.gallery().name)
    except CaptioningError:
        return _drawn()


def choose_references(page: LessonPage) -> tuple[str, ...]:
    """Return what people wrote about the photo; ask the student where nobody did."""
    subject = page.subject
    known = tuple(subject.references) or true_sentences(subject.name)
    if known:
        return known
    text = st.text_area(
        "Nobody has described this photo yet. Write what it shows, one sentence a line",
        placeholder="A dog runs on the beach.\nA brown dog is running near the water.",
        key="scores.references",
        bind="query-params",
    )
    return tuple(line.strip() for line in text.splitlines() if tokenize(line))


def likelihood(subject: Subject, text: str) -> float:
    """Return the mean log-probability of a sentence's words and end, for this photo.

    Raises:
        QueryError: the model does not know a word of it, or it is too long.
    """
    return _likelihood(subject.key, text, subject)


@st.cache_data(max_entries=256, show_spinner=False)
def _likelihood(key: tuple[object, ...], text: str, _subject: Subject) -> float:
    return float(_subject.captioner.read(_subject.features, text).of_words.mean())


@st.cache_resource(max_entries=1, show_spinner=False)
def _drawn() -> Crowd:
    scenes = (Random(f"shapes/0/{number}") for number in range(_DRAWN))  # noqa: S311 (pictures)
    captions = tuple(describe(draw_lots(rng), rng) for rng in scenes)
    return _crowd(f"{_DRAWN} drawn pictures", captions)


@st.cache_resource(max_entries=2, show_spinner="Counting people's words…")
def _of_data_set(name: str) -> Crowd:
    dataset = cache.gallery()
    photos: tuple[Photo, ...] = dataset.split("test")
    if len(photos) < _FEW:
        photos = dataset.photos
    captions = tuple(photo.captions for photo in photos if photo.captions)
    return _crowd(f"{len(captions):,} photos of {name}", captions)


def _crowd(name: str, captions: tuple[tuple[str, ...], ...]) -> Crowd:
    words = [[tokenize(text) for text in texts] for texts in captions]
    return Crowd(name, captions, DocumentFrequencies.from_references(words))


@st.cache_data(max_entries=4, show_spinner="Looking for an example…")
def duel_in(name: str, _crowd: Crowd) -> Duel | None:
    """Find the sentences that BLEU misjudges most among the first photos of a crowd."""
    return find_duel(_crowd.captions[:_SEARCHED])


@st.cache_data(max_entries=4, show_spinner="Scoring in eight ways…")
def mistakes_in(name: str, _crowd: Crowd) -> list[ScoredAs]:
    """Score people's first captions against the others, correctly and with common mistakes."""
    photos = [texts for texts in _crowd.captions[:_SEARCHED] if len(texts) > 1]
    return score_as_tutorials_do([texts[0] for texts in photos], [texts[1:] for texts in photos])
