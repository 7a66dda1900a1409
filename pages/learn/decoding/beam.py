"""Beam search: its tree, how its sentences are ranked, and where greedy search loses to it."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.datasets import CaptionDataset, Photo
from captioning.errors import ImageError
from captioning.images import read_image
from captioning.lessons.latex import numeral
from captioning.lessons.worksheet import Text
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.subject import BY_SUBJECT, MODEL, PHOTO, Subject, link_parameters
from pages.ui import cache
from pages.ui.captions import draw_tree, mark_differences
from pages.ui.wording import counted, percent, plain

if TYPE_CHECKING:
    from captioning.decoding import Hypothesis, Trace
    from captioning.lessons.decoding import Duel

_WIDEST = 6
_RANKED = 6


def show_beam(page: LessonPage) -> None:
    """Show a beam search of any width, and rank the sentences it found."""
    from captioning.decoding import read_hypotheses, read_tree

    subject = page.subject
    page.heading("Greedy and beam search")
    page.text(
        "Greedy search takes the likeliest word and never goes back: a beam of width 1. A wider "
        "beam keeps several beginnings at every step and drops the others."
    )
    width, penalty = _choose_settings(subject)
    trace = search(subject, width)
    nodes = read_tree(trace, length_penalty=penalty)
    st.graphviz_chart(draw_tree(nodes, subject.vocabulary.words), width="stretch")
    st.caption(
        "Read from left to right; each word with its probability after the words before it. Solid "
        "words were kept, dashed ones were dropped, round ones end a sentence, and green is the "
        "sentence that won."
    )
    ranked = read_hypotheses(trace, length_penalty=penalty)[0][:_RANKED]
    page.table(
        {
            "rank": [str(rank) for rank in range(1, len(ranked) + 1)],
            "sentence": [subject.vocabulary.decode(h.ids) or "(no words)" for h in ranked],
            "log-probability": [f"{_log_prob(h):.2f}" for h in ranked],
            "probability": [percent(_log_prob(h)) for h in ranked],
            "score": [f"{h.score(penalty):.3f}" for h in ranked],
        },
        caption=f"The sentences that a beam of {width} found, by score.",
    )
    page.formula(_score_formula(ranked[0], penalty))
    page.aside(
        "n counts the words and the end. A new length penalty ranks the same sentences again, "
        "without another search."
    )
    page.code("captioning.lessons.decoding", "beam_search")


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_SUBJECT)
def search(subject: Subject, width: int) -> "Trace":
    """Return the beam search of a width about the photo, searched once."""
    from captioning.lessons.decoding import beam_search

    return beam_search(inspector.decoder(subject.bundle), inspector.memory(subject), width)


def _choose_settings(subject: Subject) -> tuple[int, float]:
    usual = subject.bundle.decoding
    with st.grid(2, min_column_width=200):
        width = st.slider(
            "Beam width", 1, _WIDEST, min(3, _WIDEST), key="decoding.width", bind="query-params"
        )
        penalty = st.slider(
            "Length penalty",
            0.0,
            2.0,
            usual.length_penalty,
            0.1,
            key="decoding.penalty",
            bind="query-params",
            help="The log-probability is divided by the length to this power; 0 changes nothing.",
        )
    return width, penalty


def _log_prob(hypothesis: "Hypothesis") -> float:
    return hypothesis.log_prob + (hypothesis.end_log_prob or 0.0)


def _score_formula(best: "Hypothesis", penalty: float) -> str:
    count = len(best.ids) + (best.end_log_prob is not None)
    return (
        r"\mathrm{score} = \frac{\sum_t \ln p_t}{n^{\alpha}} = "
        rf"\frac{{{numeral(_log_prob(best))}}}{{{count}^{{{penalty:.1f}}}}} = "
        rf"{numeral(best.score(penalty))}"
    )


_AT_ONCE = 6
_PHOTOS = 48
_SHOWN = 2
_WIDTH = 3
_STATE = "decoding.duels"


def show_duel(page: LessonPage) -> None:
    """Offer to look for photos on which greedy search loses, and show them."""
    page.heading("Where greedy loses")
    page.text(
        "Does the likeliest word at each step lead to the likeliest sentence? On each photo, a "
        f"beam of {_WIDTH} competes with greedy search; the captions of the data set decide."
    )
    subject, dataset = page.subject, cache.gallery()
    photos = [photo for photo in dataset.split("test") if photo.captions][:_PHOTOS]
    key = (*subject.key[:2], dataset.name)
    if st.session_state.get(_STATE) != key:
        st.button(
            f"Look through {counted(len(photos), 'photo')} of {plain(dataset.name)}",
            icon=":material/search:",
            key="decoding.look_through",
            on_click=st.session_state.update,
            args=({_STATE: key},),
        )
        return
    duels = _all_duels(key, photos, dataset, subject)
    _show_count(page, list(duels.values()))
    _show_examples(page, duels, dataset, subject)
    page.code("captioning.lessons.decoding", "duel")


def _all_duels(
    key: tuple[str, int, str], photos: list[Photo], dataset: CaptionDataset, subject: Subject
) -> "dict[str, Duel]":
    """Run both searches on all photos, a few at a time; each batch is cached for all sessions."""
    bar = st.empty()
    found: dict[str, Duel] = {}
    for start in range(0, len(photos), _AT_ONCE):
        some = photos[start : start + _AT_ONCE]
        names = tuple(photo.name for photo in some)
        found |= _duels(key, names, some, dataset, subject)
        done = start + len(some)
        if done < len(photos):
            bar.progress(done / len(photos), f"{done} of {len(photos)} photos")
    bar.empty()
    return found


def _show_count(page: LessonPage, duels: "list[Duel]") -> None:
    likelier = [duel for duel in duels if duel.likelier]
    better = sum(duel.better for duel in likelier)
    worse = sum(_score(duel.greedy_score) > _score(duel.beam_score) for duel in likelier)
    page.text(
        f"On {len(duels)} photos the beam wrote a different, likelier sentence {len(likelier)} "
        f"times. Of these, {better} are closer to the captions of the data set (by ROUGE-L), "
        f"{worse} are further away, and {len(likelier) - better - worse} are equally close. "
        "Likelier is not the same as better. (ROUGE-L is 100 for a sentence that somebody wrote "
        "word for word.)"
    )


def _show_examples(
    page: LessonPage, duels: "dict[str, Duel]", dataset: CaptionDataset, subject: Subject
) -> None:
    """Show the clearest examples: likelier and better, the largest gain first."""
    won = {name: duel for name, duel in duels.items() if duel.likelier and duel.better}
    if not won:
        st.info("On none of these photos does greedy search lose. Try another model.")
        return
    order = sorted(won, key=lambda n: _score(won[n].greedy_score) - _score(won[n].beam_score))
    for name in order[:_SHOWN]:
        duel = won[name]
        left, right = st.columns([1, 4], gap="medium", vertical_alignment="center")
        with left:
            st.image(
                cache.thumbnail(dataset.path(dataset[name])), width="stretch", alt=f"Photo {name}"
            )
        with right:
            _show_one(page, duel)
            parameters = link_parameters(subject, hide=page.hidden)
            st.page_link(
                page.lesson.path,
                label="Open this photo in the lesson",
                icon=":material/open_in_new:",
                query_params={**parameters, MODEL: subject.bundle.name, PHOTO: name},
            )


def _show_one(page: LessonPage, duel: "Duel") -> None:
    for who, sentence, other, log_prob, score in (
        ("Greedy", duel.greedy, duel.beam, duel.greedy_log_prob, duel.greedy_score),
        (f"Beam of {_WIDTH}", duel.beam, duel.greedy, duel.beam_log_prob, duel.beam_score),
    ):
        figures = (
            f"log-probability {log_prob:.2f} ({percent(log_prob)}), ROUGE-L {_score(score):.0f}"
        )
        st.markdown(f"**{who}:** {mark_differences(sentence, other)}  \n:small[{figures}]")
        page.keep(Text(f"{who}: {sentence} ({figures})"))


def _score(score: float | None) -> float:
    return score or 0.0


@st.cache_data(max_entries=64, show_spinner=False)
def _duels(
    key: tuple[str, int, str],
    names: tuple[str, ...],
    _photos: list[Photo],
    _dataset: CaptionDataset,
    _subject: Subject,
) -> "dict[str, Duel]":
    """Let both searches write about some photos; one that cannot be read is left out."""
    from captioning.lessons.decoding import duel

    readable, pictures = [], []
    for photo in _photos:
        try:
            data = cache.photo_file(_dataset.path(photo))
            pictures.append(read_image(data, name=photo.name))
            readable.append(photo)
        except ImageError:
            continue
    if not readable:
        return {}
    features, decoder = _subject.captioner.encode(pictures), inspector.decoder(_subject.bundle)
    return {
        photo.name: duel(
            decoder,
            decoder.remember(features[place : place + 1]),
            _subject.vocabulary,
            width=_WIDTH,
            references=photo.captions,
        )
        for place, photo in enumerate(readable)
    }
