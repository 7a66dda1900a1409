"""CIDEr-D in the lesson on scores: how rare each n-gram is, and both scores of one pair."""

from dataclasses import dataclass
from random import Random

import altair as alt
import pandas as pd
import streamlit as st

from captioning.analysis.bleu import sentence_scores
from captioning.datasets.shapes.scene import describe, draw_lots
from captioning.errors import CaptioningError
from captioning.lessons.cider import (
    CiderDrawing,
    WeighedNgram,
    cider_formula,
    draw_cider,
    reference_formula,
    weight_formula,
)
from captioning.metrics import DocumentFrequencies
from captioning.text import tokenize
from pages.learn.frame import LessonPage
from pages.ui import cache
from pages.ui.pictures import SAMPLES
from pages.ui.theme import in_rows

FOUND, MISSING = "in a reference", "in none"
_DRAWN = 200
_FEW = 50


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


@st.cache_resource(max_entries=1, show_spinner=False)
def _drawn() -> Crowd:
    scenes = (Random(f"shapes/0/{number}") for number in range(_DRAWN))  # noqa: S311 (pictures)
    captions = tuple(describe(draw_lots(rng), rng) for rng in scenes)
    return _crowd(f"{_DRAWN} drawn pictures", captions)


@st.cache_resource(max_entries=2, show_spinner="Counting people's words…")
def _of_data_set(name: str) -> Crowd:
    dataset = cache.gallery()
    photos = dataset.split("test")
    if len(photos) < _FEW:
        photos = dataset.photos
    captions = tuple(photo.captions for photo in photos if photo.captions)
    return _crowd(f"{len(captions):,} photos of {name}", captions)


def _crowd(name: str, captions: tuple[tuple[str, ...], ...]) -> Crowd:
    words = [[tokenize(text) for text in texts] for texts in captions]
    return Crowd(name, captions, DocumentFrequencies.from_references(words))


def show_cider(
    page: LessonPage, base: str, text: str, references: tuple[str, ...], crowd: Crowd
) -> None:
    """Show the weights of the changed sentence, and both sentences under BLEU and CIDEr-D."""
    page.heading("CIDEr: rare words weigh more")
    page.text(
        "BLEU counts 'of a' as much as 'red kite'. CIDEr weights each n-gram by how rare it is: "
        f"the fewer of {crowd.name} have it in their captions, the more it counts."
    )
    drawing = draw_cider(text, references, crowd.frequencies)
    if 2 * sum(not ngram.images for ngram in drawing.ngrams[0]) >= len(drawing.ngrams[0]) > 0:
        page.aside(
            "Most words of this sentence occur in none of these captions, so they all have the "
            "same weight. On Explore, *Get data* brings photos like this one."
        )
    order = _choose_order()
    ngrams = drawing.ngrams[order - 1]
    if not ngrams:
        st.caption(f"The sentence has no {order} words in a row.")
        return
    _weights(page, ngrams, order)
    heaviest = max(ngrams, key=lambda ngram: ngram.weight)
    page.formula(weight_formula(drawing, heaviest))
    page.formula(reference_formula(drawing, drawing.nearest))
    page.formula(cider_formula(drawing))
    page.aside(
        "Above: the weight of the heaviest n-gram; the score against reference "
        f"{drawing.nearest + 1} (the best match; its four cosines are for n-grams of 1, 2, 3 and 4 "
        "words, and the power of *e* lowers the score for a difference in length); and the mean "
        "over all references. CIDEr-D runs from 0 to 10 and is reported times 100."
    )
    _same_pair(page, base, text, references, crowd, drawing)


def _choose_order() -> int:
    return st.segmented_control(
        "N-grams of",
        [1, 2, 3, 4],
        default=1,
        required=True,
        format_func=lambda n: f"{n} word{'s' * (n > 1)}",
        key="scores.cider_order",
        bind="query-params",
    )


def _weights(page: LessonPage, ngrams: tuple[WeighedNgram, ...], order: int) -> None:
    names = [" ".join(ngram.words) for ngram in ngrams]
    rows: dict[str, list[object]] = {
        "n-gram": list(names),
        "photos": [ngram.images for ngram in ngrams],
        "weight": [round(ngram.weight, 3) for ngram in ngrams],
        "found": [FOUND if ngram.found_in else MISSING for ngram in ngrams],
    }
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X("weight:Q", title="weight: count × ln(photos / photos that have it)"),
            y=alt.Y("n-gram:N", sort=names, title=None),
            color=alt.Color(
                "found:N", title=None, sort=[FOUND, MISSING], legend=alt.Legend(orient="top")
            ),
            tooltip=[
                "n-gram:N",
                "photos:Q",
                alt.Tooltip("weight:Q", format=".3f"),
                "found:N",
            ],
        )
    )
    chart = in_rows(chart, len(names), 30 if page.large else 24)
    pairs = zip(names, rows["weight"], rows["found"], strict=True)
    spoken = ", ".join(f"{name} {weight} ({found})" for name, weight, found in pairs)
    page.chart(chart, alt=f"Weights of {order}-grams: {spoken}.", table=rows)


def _same_pair(
    page: LessonPage,
    base: str,
    text: str,
    references: tuple[str, ...],
    crowd: Crowd,
    drawing: CiderDrawing,
) -> None:
    was = draw_cider(base, references, crowd.frequencies)
    scores = [sentence_scores(each, references) for each in (base, text)]
    ciders = [100 * was.cider, 100 * drawing.cider]
    page.table(
        {
            "the same two sentences": [base, text],
            "BLEU-2": [f"{score[1]:.1f}" for score in scores],
            "BLEU-4": [f"{score[3]:.1f}" for score in scores],
            "CIDEr-D": [f"{value:.1f}" for value in ciders],
        },
        caption="BLEU runs from 0 to 100 here, CIDEr-D from 0 to 1000.",
    )
