"""The results of a round: how often people mistook a machine, a chart of ratings, and the table."""

from contextlib import suppress
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from captioning.errors import CaptioningError
from captioning.metrics import DocumentFrequencies
from captioning.play import Round, Standing, State, results_csv, standings, turing_rate
from captioning.text import tokenize
from pages.ui import cache
from pages.ui.components import show_source
from pages.ui.theme import in_rows
from pages.ui.wording import or_dash, plain

_KINDS = {"person": "a person", "model": "a model", "player": "the class"}


def show_results(round_: Round, state: State, *, me: str = "") -> None:
    """Show everything about a round that has ended.

    Args:
        round_: the round.
        state: its current state.
        me: the token of the current player, whose row is marked.
    """
    counted = (round_.name, len(state.votes), len(state.guesses))
    found = _standings(counted, round_, state)
    best = found[0]
    st.subheader(f"Best: {plain(best.entry.text)}", anchor=False)
    st.markdown(f"by **{plain(best.entry.author)}**")
    rate = turing_rate(state)
    if rate is not None:
        st.metric("Machine taken for a person", f"{100 * rate:.0f}%")
        st.caption(
            "Share of guesses about the models' captions. At 50% the class sees no difference."
        )
    st.vega_lite_chart(_chart(counted, found), alt=_spoken(found))
    st.caption(
        "Elo rating of each caption and its 95% interval. The average is 1000. With 400 points "
        "more, a caption wins ten times as often as it loses. If intervals overlap, the votes do "
        "not show which caption is better."
    )
    _table(found, me)
    st.download_button(
        "Results (CSV)",
        results_csv(found),
        f"round-{round_.name}.csv",
        "text/csv",
        icon=":material/table:",
        key="play.csv",
        on_click="ignore",
    )
    show_source("captioning.play.results", "rate")


def get_ready() -> None:
    """Count people's words while the class votes, so that nobody waits for it at the end."""
    with suppress(CaptioningError):
        _frequencies()


def _table(found: list[Standing], me: str) -> None:
    def name(one: Standing) -> str:
        you = " (you)" if me and one.entry.player == me else ""
        return plain(f"{one.entry.author}{you}")

    st.table(
        {
            "author": [name(one) for one in found],
            "caption": [plain(one.entry.text) for one in found],
            "Elo": [f"{one.rating.elo:.0f}" for one in found],
            "BLEU-4": [or_dash(one.bleu_4, ".1f") for one in found],
            "CIDEr": [or_dash(one.cider, ".1f") for one in found],
            "taken for a machine": [or_dash(one.taken_for_machine, ".0%") for one in found],
        },
        hide_index=True,
        border="horizontal",
    )
    st.caption(
        "BLEU-4 and CIDEr compare each caption with the captions of the others in the class. A "
        "caption that nobody else would write scores low, even if it is good."
    )


def _spoken(found: list[Standing]) -> str:
    return "Elo ratings: " + ", ".join(f"{one.entry.author} {one.rating.elo:.0f}" for one in found)


@st.cache_data(max_entries=8, show_spinner=False)
def _chart(key: tuple[str, int, int], _found: list[Standing]) -> dict[str, Any]:
    """Return the Vega-Lite specification; Altair takes longer to make it than all the rest."""
    rows = pd.DataFrame(
        {
            "author": one.entry.author,
            "who": _KINDS[one.entry.kind],
            "Elo": one.rating.elo,
            "low": one.rating.low,
            "high": one.rating.high,
        }
        for one in _found
    )
    legend = alt.Legend(orient="top")
    shared = alt.Chart(rows).encode(
        y=alt.Y("author:N", sort=None, title=None),
        color=alt.Color("who:N", title=None, legend=legend),
    )
    axis = alt.X("low:Q", title="Elo", scale=alt.Scale(zero=False))
    points = shared.mark_point(filled=True, size=90).encode(
        x="Elo:Q", shape=alt.Shape("who:N", title=None, legend=legend)
    )
    lines = shared.mark_rule(strokeWidth=3, opacity=0.5).encode(x=axis, x2="high:Q")
    drawn: dict[str, Any] = in_rows(alt.layer(lines, points), len(_found), 24).to_dict()
    return drawn


@st.cache_data(max_entries=8, show_spinner="Counting the votes…")
def _standings(key: tuple[str, int, int], _round: Round, _state: State) -> list[Standing]:
    """Rate the captions once for all who look at the results."""
    try:
        frequencies = _frequencies()
    except CaptioningError:
        frequencies = None
    return standings(_state, references=_round.references, frequencies=frequencies)


@st.cache_resource(max_entries=1, ttl=3600, show_spinner="Counting people's words…")
def _frequencies() -> DocumentFrequencies:
    """Count n-grams in the captions of the current data set.

    Raises:
        DatasetError: there is no data set.
    """
    photos = [photo.captions for photo in cache.gallery().photos if photo.captions]
    return DocumentFrequencies.from_references([[tokenize(t) for t in texts] for texts in photos])
