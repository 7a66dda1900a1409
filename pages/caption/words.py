"""Why this sentence: choose a word; see its alternatives, regions, and evidence."""

import math
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd
import streamlit as st

from captioning.bundle import Bundle
from pages.ui import explanations
from pages.ui.pictures import Picture
from pages.ui.settings import begin_with, forget_beginning
from pages.ui.theme import in_rows
from pages.ui.wording import percent, plain

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.explain import Evidence, Rival

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
    left, right = st.columns([2, 3], gap="large")
    with left:
        _map(page, picture, bundle, caption.text, place, words[place])
    with right:
        _rivals(page, explanations.rivals(bundle, picture, caption.text)[place], words[:place])
    _evidence(explanations.evidence(bundle, picture, caption.text))


def evidence_chart(found: "list[Evidence]") -> alt.Chart:
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


def _map(page: str, picture: Picture, bundle: Bundle, sentence: str, place: int, word: str) -> None:
    ways = (ATTENTION, OCCLUSION) if explanations.has_attention(bundle) else (OCCLUSION,)
    way = st.segmented_control(
        "Which map", ways, default=ways[0], required=True, key=f"{page}.map", bind="query-params"
    )
    covering = way == OCCLUSION
    lit = explanations.map_on_photo(bundle, picture, sentence, place, covering=covering)
    st.image(lit, alt=f"The photo; the regions that led to the word {word} are bright")
    st.caption(
        "Bright: covering this part makes the word less likely."
        if covering
        else "Bright: the regions that counted most when the word was chosen."
    )


def _rivals(page: str, rivals: "list[Rival]", before: list[str]) -> None:
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
            on_click=forget_beginning,
            args=(page,),
        )


def _evidence(found: "list[Evidence]") -> None:
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


def _bold(rival: "Rival") -> str:
    word = plain(rival.word) if rival.word else END
    return f"**{word}**" if rival.chosen else word
