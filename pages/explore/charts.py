"""Charts whose bars open what is behind them."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from captioning.analysis.search import find
from captioning.analysis.statistics import Bar, CoveragePoint, SplitWords, ZipfCurve
from pages.ui.datasets import Explored, photo_grid
from pages.ui.theme import in_rows
from pages.ui.wording import plain

_SELECTION = "bar"


def clicked(key: str, chart: alt.TopLevelMixin, alt_text: str) -> str | None:
    """Show a chart and return the search behind the bar that was clicked, if one was."""
    event = st.altair_chart(
        chart, key=key, on_select="rerun", selection_mode=_SELECTION, alt=alt_text
    )
    chosen = event.selection.get(_SELECTION, [])
    return str(chosen[0]["query"]) if chosen else None


def show_behind(page: str, explored: Explored, query: str | None) -> None:
    """Show the photos behind a bar, or say how to see them."""
    if query is None:
        st.caption(":material/touch_app: Click a bar or a point to see the photos behind it.")
        return
    found = find(explored.index, query)
    st.subheader(f"{len(found.captions):,} captions of {len(found.photos):,} photos", anchor=False)
    st.page_link(
        "pages/explore/search.py",
        label=f"Read them in Search: {plain(query)}",
        icon=":material/search:",
        query_params=explored.link(search__query=query),
    )
    photo_grid(f"{page}.behind", explored, found.photos, per_page=12)


def column_chart(bars: Sequence[Bar], x: str, y: str) -> alt.Chart:
    """Draw counts over a number, such as captions over their length."""
    table = _table(bars).assign(label=lambda t: t["label"].astype(int))
    chart = alt.Chart(table).mark_bar(cursor="pointer")
    return _clickable(
        chart.encode(
            x=alt.X("label:O", title=x, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("count:Q", title=y),
            tooltip=[alt.Tooltip("label:O", title=x), alt.Tooltip("count:Q", title=y, format=",")],
        )
    )


def bar_chart(bars: Sequence[Bar], x: str) -> alt.Chart:
    """Draw counts of names, one row each, in the order given."""
    names = [bar.label for bar in bars]
    chart = alt.Chart(_table(bars)).mark_bar(cursor="pointer")
    drawn = chart.encode(
        x=alt.X("count:Q", title=x),
        y=alt.Y("label:N", sort=names, title=None, axis=alt.Axis(labelLimit=260)),
        tooltip=[
            alt.Tooltip("label:N", title="Text"),
            alt.Tooltip("count:Q", title=x, format=","),
        ],
    )
    return _clickable(in_rows(drawn, len(names), 22))


def zipf_chart(curve: ZipfCurve) -> alt.LayerChart:
    """Draw counts over ranks, both in logarithms, with Zipf's line."""
    table = _table(curve.words).assign(
        rank=curve.ranks, line=[max(curve.expected(rank), 0.5) for rank in curve.ranks]
    )
    x = alt.X("rank:Q", scale=alt.Scale(type="log"), title="Rank of the word")
    points = (
        alt.Chart(table)
        .mark_circle(size=70, cursor="pointer")
        .encode(
            x=x,
            y=alt.Y("count:Q", scale=alt.Scale(type="log"), title="How often it occurs"),
            tooltip=["label:N", alt.Tooltip("rank:Q"), alt.Tooltip("count:Q", format=",")],
        )
    )
    line = alt.Chart(table).mark_line(strokeDash=[6, 4], opacity=0.6).encode(x=x, y="line:Q")
    return alt.layer(line, _clickable(points)).properties(height=420)


def coverage_chart(points: Sequence[CoveragePoint]) -> alt.Chart:
    """Draw the share of running words that is known over the size of the vocabulary."""
    rows = [
        {"words": p.words, "least": p.min_count, "split": s, "known": known, "query": p.query}
        for p in points
        for s, known in p.known.items()
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("words:Q", scale=alt.Scale(type="log"), title="Words in the vocabulary"),
        y=alt.Y("known:Q", scale=alt.Scale(zero=False), title="Running words known").axis(
            format="%"
        ),
        color=alt.Color("split:N", title="Split", sort=["train", "dev", "test"]),
        tooltip=[
            alt.Tooltip("least:Q", title="Smallest count kept"),
            alt.Tooltip("words:Q", title="Words kept", format=","),
            alt.Tooltip("known:Q", title="Running words known", format=".2%"),
            alt.Tooltip("split:N", title="Split"),
        ],
    )
    marks = _clickable(base.mark_circle(size=110, cursor="pointer"))
    return alt.layer(base.mark_line(), marks).properties(height=420)


def split_chart(rows: Sequence[SplitWords]) -> alt.Chart:
    """Draw the different words of each split; those that are not in training are separate."""
    table = pd.DataFrame(
        [
            {"split": r.split, "kind": kind, "count": n, "query": query}
            for r in rows
            for kind, n, query in (
                ("in training captions", r.distinct - r.new, f"split:{r.split}"),
                ("new in this split", r.new, r.query),
            )
        ]
    )
    chart = alt.Chart(table).mark_bar(cursor="pointer")
    drawn = chart.encode(
        x=alt.X("count:Q", title="Different words"),
        y=alt.Y("split:N", sort=["train", "dev", "test"], title=None),
        color=alt.Color("kind:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=["split:N", "kind:N", alt.Tooltip("count:Q", format=",")],
    )
    return _clickable(in_rows(drawn, len(rows), 44))


def _table(bars: Sequence[Bar]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": [bar.label for bar in bars],
            "count": [bar.count for bar in bars],
            "query": [bar.query for bar in bars],
        }
    )


def _clickable(chart: alt.Chart) -> alt.Chart:
    """Let a click choose a mark, and fade the others."""
    click = alt.selection_point(name=_SELECTION, fields=["query"], toggle=False)
    return chart.add_params(click).encode(
        opacity=alt.condition(click, alt.value(1.0), alt.value(0.35))
    )
