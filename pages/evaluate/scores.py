"""The scores of an evaluation with their intervals, as numbers and as charts."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from captioning.evaluation import Interval
from captioning.metrics import METRICS
from captioning.metrics.exact import exact_match
from pages.evaluate.hypotheses import Judged, Task
from pages.ui.components import say_exact_match
from pages.ui.settings import how_chosen
from pages.ui.theme import in_rows
from pages.ui.wording import plain


def show_scores(task: Task, judged: Judged) -> None:
    """Show the scores with their intervals, and statistics of the captions."""
    figures = judged.scores.figures
    with st.grid(len(METRICS), min_column_width=120):
        for name, metric in METRICS.items():
            low, high = judged.intervals[name]
            with st.container(gap="xsmall"):
                st.metric(metric.label, f"{figures[name]:.1f}", help=metric.help)
                st.caption(f"{low:.1f} to {high:.1f}")
    st.caption(
        f"**{plain(task.bundle.name)}** on the {len(judged.captions):,} {task.split} photos of "
        f"{plain(task.dataset.name)}, {how_chosen(task.decoding)}. Below each score: its 95% "
        "bootstrap confidence interval over photos."
    )
    if task.explored.generated:
        exact = 100 * exact_match(judged.captions, task.dataset.references(task.split))
        say_exact_match(exact, figures["bleu_4"], figures["cider"])
    _show_variety(judged)


def choose_measure(page: str) -> str:
    """Ask which metric to look at."""
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


def _show_variety(judged: Judged) -> None:
    """Show length and variety of the captions, compared with the references."""
    model, people = judged.variety, judged.human_variety
    rows = {
        "words in a caption": (f"{model.mean_length:.1f}", f"{people.mean_length:.1f}"),
        "different words used": (f"{model.vocabulary:,}", f"{people.vocabulary:,}"),
        "different captions": (f"{model.distinct:.0%}", f"{people.distinct:.0%}"),
        "copied from training": (f"{model.copied:.0%}", f"{people.copied:.0%}"),
    }
    st.table(
        {
            "The sentences": list(rows),
            "this model": [own for own, _ in rows.values()],
            "first reference": [human for _, human in rows.values()],
        },
        hide_index=True,
        border="horizontal",
        width=640,
    )
