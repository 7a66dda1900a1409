"""What to compare a score with: baselines, and another model under a paired test."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from captioning.bundle import Bundle
from captioning.evaluation import (
    BASELINES,
    Baseline,
    Comparison,
    Interval,
    compare,
    intervals,
    make_baselines,
)
from captioning.evaluation.baselines import NEAREST
from captioning.metrics import METRICS
from pages.evaluate.hypotheses import Judged, Key, Task, judge, written
from pages.ui import cache
from pages.ui.cache import Memory
from pages.ui.progress import features_of, stoppable
from pages.ui.theme import in_rows
from pages.ui.wording import plain

_FEW = 2000
"""Up to this many photos, neighbours are searched even if no features are stored."""


@st.cache_resource(max_entries=1, show_spinner=False)
def _made() -> Memory[list[Baseline]]:
    return Memory(12)


def baselines_of(task: Task) -> list[Baseline]:
    """Return the baselines of a task that were computed before."""
    return _made().get(task.key) or []


def show_baselines(page: str, task: Task, judged: Judged) -> None:
    """Show the baselines, or offer to compute them."""
    made = baselines_of(task)
    place = st.empty()
    if not made:
        with place.container():
            st.caption(
                "A score alone means little. Baselines need no training. A model that is not "
                "clearly better has learned nothing from the photos."
            )
            icon = ":material/balance:"
            asked = st.button("Compute baselines", icon=icon, key=f"{page}.baselines")
        if not asked:
            return
        with place.container():
            made = _make(page, task, judged)
        place.empty()
    _draw(_choose_measure(page), task.bundle.name, judged, made)
    for baseline in made:
        example = f' Here: "{plain(baseline.example)}".' if baseline.example is not None else ""
        st.caption(f"**{baseline.name}**: {baseline.meaning}{example}")
    if all(baseline.name != NEAREST for baseline in made):
        st.caption(f"**{NEAREST}** is missing: it needs the features of all training photos.")
        if features_of(page, task.dataset, task.bundle) is not None:
            _made().put(task.key, [])
            st.rerun()


def compare_with(page: str, task: Task, judged: Judged, models: Mapping[str, Bundle]) -> None:
    """Let the visitor choose another model, and say whether the difference is significant."""
    others = [name for name in models if name != task.bundle.name]
    if not others:
        st.caption("There is only one model. Train another one to compare the two.")
        return
    other = st.selectbox("The other model", others, key=f"{page}.other", bind="query-params")
    rival = Task(task.explored, task.split, models[other], task.decoding)
    kept = written(f"{page}.rival", rival)
    if kept is None:
        return
    found = _compared(rival.key, task.key, judge(rival, kept), judged)
    own = task.bundle.name
    st.subheader(plain(found.verdict(other, own)), anchor=False)
    st.table(
        {
            "Measure": [METRICS[d.measure].label for d in found.differences],
            plain(other): [f"{d.first:.1f}" for d in found.differences],
            plain(own): [f"{d.second:.1f}" for d in found.differences],
            "Gain": [f"{d.gain:+.1f}" for d in found.differences],
            "95% interval": [
                f"{d.interval.low:+.1f} to {d.interval.high:+.1f}" for d in found.differences
            ],
            "By chance": [_chance(d.corrected) for d in found.differences],
        },
        hide_index=True,
        border="horizontal",
    )
    st.caption(
        "By chance: the captions of the two models are swapped at random, photo by photo, 1,000 "
        "times; this is how often the difference is at least as large. It is corrected for several "
        "metrics (approximate randomisation, Holm). Below 5% a difference counts as real."
    )


def _make(page: str, task: Task, judged: Judged) -> list[Baseline]:
    captioner = cache.writer(task.bundle)
    stored = captioner.stored_features(task.dataset) is not None
    near = stored or len(task.dataset) <= _FEW
    made: list[Baseline] = []
    with stoppable(page, "Computing baselines") as tell:
        for baseline in make_baselines(
            captioner,
            task.dataset,
            task.split,
            judged.captions,
            decoding=task.decoding,
            with_neighbours=near,
            on_progress=tell,
        ):
            made.append(baseline)
            tell(len(made), len(BASELINES))
    _made().put(task.key, made)
    return made


def _draw(measure: str, own: str, judged: Judged, made: list[Baseline]) -> None:
    figures, edges = {own: judged.scores.figures[measure]}, {own: judged.intervals[measure]}
    for baseline in made:
        figures[baseline.name] = baseline.scores.figures[measure]
        edges[baseline.name] = intervals(baseline.scores)[measure]
    chart = interval_chart(list(figures), figures, edges, own)
    spoken = ", ".join(f"{name} {score:.1f}" for name, score in figures.items())
    st.altair_chart(chart, alt=f"{METRICS[measure].label}: {spoken}.")


def _choose_measure(page: str) -> str:
    return st.segmented_control(
        "Measure",
        list(METRICS),
        default="cider",
        required=True,
        format_func=lambda name: METRICS[name].label,
        label_visibility="collapsed",
        key=f"{page}.measure",
        bind="query-params",
    )


def interval_chart(
    names: Sequence[str], scores: Mapping[str, float], edges: Mapping[str, Interval], own: str
) -> alt.LayerChart:
    """Draw scores as points with their intervals, one row each in the order given.

    Args:
        names: of the rows.
        scores: by name.
        edges: by name.
        own: the row to emphasise.
    """
    table = pd.DataFrame(
        {
            # The scores are part of the labels, which follow the theme; text marks do not.
            "name": [f"{name}   {scores[name]:.1f}" for name in names],
            "score": [scores[name] for name in names],
            "low": [edges[name].low for name in names],
            "high": [edges[name].high for name in names],
            "own": [name == own for name in names],
        }
    )
    base = alt.Chart(table).encode(
        y=alt.Y(
            "name:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelLimit=260, domain=False, ticks=False, labelPadding=8),
        ),
        opacity=alt.condition("datum.own", alt.value(1.0), alt.value(0.6)),
        tooltip=[
            alt.Tooltip("name:N", title="Score"),
            alt.Tooltip("low:Q", title="from", format=".1f"),
            alt.Tooltip("high:Q", title="to", format=".1f"),
        ],
    )
    line = base.mark_bar(size=4, cornerRadius=2).encode(
        x=alt.X("low:Q", title=None, scale=alt.Scale(zero=True)), x2="high:Q"
    )
    point = base.mark_circle(size=110, opacity=1).encode(x=alt.X("score:Q", title=None))
    return in_rows(alt.layer(line, point), len(names), 34).configure_view(strokeWidth=0)


@st.cache_data(max_entries=12, show_spinner="Swapping captions at random…")
def _compared(first: Key, second: Key, _rival: Judged, _own: Judged) -> Comparison:
    return compare(_rival.scores, _own.scores)


def _chance(p_value: float) -> str:
    return "under 1%" if p_value < 0.01 else f"{p_value:.0%}"
