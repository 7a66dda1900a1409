"""Why this sentence: choose a word; see its alternatives, regions, and evidence."""

import math
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning import explain
from captioning.bundle import Bundle
from captioning.explain import Evidence, Rival
from captioning.images import read_image
from pages.ui import cache
from pages.ui.pictures import Picture, as_jpeg
from pages.ui.settings import begin_with
from pages.ui.theme import in_rows
from pages.ui.wording import percent, plain

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.decoding import Reading

END = "(end)"
ATTENTION, OCCLUSION = "Attention", "Occlusion"


def explain_words(page: str, picture: Picture, bundle: Bundle, caption: "Caption") -> None:
    """Let a person choose a word of the caption, and explain that word."""
    words = [word.word for word in caption.words]
    place = st.pills(
        "Choose a word",
        list(range(len(words))),
        format_func=lambda i: words[i],
        default=min(1, len(words) - 1),
        required=True,
        key=f"{page}.word.{caption.text}",
    )
    captioner = cache.captioner(bundle)
    features = cache.features(bundle, picture.data, picture.name)
    read = captioner.read(features, caption.text)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _map(page, picture, bundle, caption, read, place)
    with right:
        _rivals(page, explain.rivals(read, bundle.vocabulary)[place], words[:place])
    _evidence(explain.seen_or_guessed(captioner, features, caption.text))


def evidence_chart(found: list[Evidence]) -> alt.Chart:
    """Draw how much the photo raised the probability of each word, in the order of the sentence."""
    table = pd.DataFrame(
        {
            "place": range(len(found)),
            "word": [f"{n}. {e.word or END}" for n, e in enumerate(found, 1)],
            "gain": [e.gain / math.log(2) for e in found],
            "seen": [percent(e.seen) for e in found],
            "blank": [percent(e.blank) for e in found],
        }
    )
    chart = (
        alt.Chart(table)
        .mark_bar(cornerRadius=3)
        .encode(
            x=alt.X("gain:Q", title="doublings of the probability due to the photo"),
            y=alt.Y("word:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)),
            opacity=alt.condition("datum.gain > 0", alt.value(1.0), alt.value(0.35)),
            tooltip=[
                alt.Tooltip("word:N"),
                alt.Tooltip("seen:N", title="with the photo"),
                alt.Tooltip("blank:N", title="with a grey photo"),
            ],
        )
    )
    return in_rows(chart, len(found), 24)


def _map(
    page: str, picture: Picture, bundle: Bundle, caption: "Caption", read: "Reading", place: int
) -> None:
    """Show the photo, bright where it led to the word at `place`."""
    ways = (ATTENTION, OCCLUSION) if bundle.decoder.kind == "attention" else (OCCLUSION,)
    way = st.segmented_control(
        "Which map", ways, default=ways[0], required=True, key=f"{page}.map", bind="query-params"
    )
    covering = way == OCCLUSION
    if covering:
        version = cache.version(bundle)
        maps = _occlusion(str(bundle.folder), version, bundle, picture, caption.text)
    else:
        maps = explain.attention_maps(read, cache.captioner(bundle).encoder.grid)
    lit, word = _lit(picture, maps[place]), caption.words[place].word
    st.image(lit, alt=f"The photo; the regions that led to the word {word} are bright")
    st.caption(
        "Bright: covering this part makes the word less likely."
        if covering
        else "Bright: the regions that counted most when the word was chosen."
    )


@st.cache_data(max_entries=64, show_spinner="Covering the photo block by block…")
def _occlusion(
    folder: str, version: int, _bundle: Bundle, picture: Picture, sentence: str
) -> np.ndarray:
    features = cache.features(_bundle, picture.data, picture.name)
    photo = read_image(picture.data, name=picture.name)
    return explain.occlusion_maps(cache.captioner(_bundle), photo, features, sentence)


@st.cache_data(max_entries=128, show_spinner=False)
def _lit(picture: Picture, values: np.ndarray) -> bytes:
    copy, _ = cache.preview(picture.data, picture.name)
    return as_jpeg(explain.spotlight(read_image(copy), values))


def _rivals(page: str, rivals: list[Rival], before: list[str]) -> None:
    st.subheader("Other words for this place", anchor=False)
    st.table(
        {
            "Rank": [str(rival.rank) for rival in rivals],
            "Word": [_bold(rival) for rival in rivals],
            "Probability": [percent(rival.log_prob) for rival in rivals],
        },
        hide_index=True,
        border="horizontal",
    )
    others = [rival.word for rival in rivals if rival.word and not rival.chosen]
    with st.popover("Rewrite from here with another word", icon=":material/edit_note:"):
        for word in others:
            st.button(
                plain(word),
                key=f"{page}.rival.{len(before)}.{word}",
                type="tertiary",
                on_click=begin_with,
                args=(page, " ".join([*before, word])),
            )
    if st.session_state.get(f"{page}.begin"):
        st.button(
            "Let the model choose the beginning",
            icon=":material/undo:",
            key=f"{page}.free",
            on_click=begin_with,
            args=(page, ""),
        )


def _evidence(found: list[Evidence]) -> None:
    st.subheader("From the photo, or from habit?", anchor=False)
    st.caption(
        "The probability of each word with your photo, compared with an evenly grey photo. A long "
        "bar means that the model wrote this word because of the photo. It can still be wrong. "
        "A bar near zero means that the model writes this word without the photo too."
    )
    spoken = ", ".join(f"{e.word or END} {e.gain / math.log(2):+.1f}" for e in found)
    st.altair_chart(
        evidence_chart(found), alt=f"Doublings of the probability due to the photo: {spoken}."
    )


def _bold(rival: Rival) -> str:
    word = plain(rival.word) if rival.word else END
    return f"**{word}**" if rival.chosen else word
