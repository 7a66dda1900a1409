"""Charts of runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from captioning.metrics import headline_metrics
from captioning.runs import Curves

_HEIGHT = 240


def loss_chart(curves: Curves) -> alt.LayerChart:
    """Draw the training loss of steps, and train and dev loss of epochs."""
    steps = pd.DataFrame(
        [{"epoch": row["done"], "loss": row["loss"]} for row in curves.steps],
        columns=["epoch", "loss"],
    )
    epochs = _long(curves.epochs, {"training": "loss", "dev": "dev_loss"})
    noise = (
        alt.Chart(steps)
        .mark_line(opacity=0.25, strokeWidth=1)
        .encode(x=_epoch_axis(), y=alt.Y("loss:Q", title="loss, nats a word", scale=_near()))
    )
    marks = (
        alt.Chart(pd.DataFrame({"epoch": curves.resumed}, dtype=float))
        .mark_rule(strokeDash=[3, 4], opacity=0.6)
        .encode(
            x="epoch:Q", tooltip=[alt.Tooltip("epoch:Q", title="resumed at epoch", format=".2f")]
        )
    )
    # A layer without rows has no extent, of which Vega warns in the browser's console.
    layers = [
        *([noise] if len(steps) else []),
        *([_lines(epochs, "loss, nats a word")] if len(epochs) else []),
        *([marks] if curves.resumed else []),
    ]
    return alt.layer(*layers).properties(height=_HEIGHT)


def score_chart(curves: Curves) -> alt.Chart:
    """Draw the headline metrics on dev, epoch by epoch."""
    rows = _long(curves.epochs, {metric.label: metric.name for metric in headline_metrics()})
    return _lines(rows, "score on dev, x100").properties(height=_HEIGHT)


def forced_chart(curves: Curves) -> alt.Chart:
    """Draw BLEU-4 with teacher forcing, and with the model's own words."""
    names = {"true words before": "forced_bleu_4", "its own words before": "bleu_4"}
    rows = _long(curves.epochs, names)
    return _lines(rows, "BLEU-4 on dev").properties(height=_HEIGHT)


def rate_chart(curves: Curves) -> alt.Chart:
    """Draw the learning rate over steps."""
    rows = pd.DataFrame(
        [{"epoch": r["done"], "value": r["learning_rate"]} for r in curves.steps],
        columns=["epoch", "value"],
    )
    return (
        alt.Chart(rows)
        .mark_line()
        .encode(x=_epoch_axis(), y=alt.Y("value:Q", title="learning rate"))
        .properties(height=_HEIGHT)
    )


def compare_chart(curves: Mapping[str, Curves], figure: str, title: str) -> alt.Chart:
    """Draw one figure of several runs over epochs."""
    rows = pd.DataFrame(
        [
            {"epoch": row["epoch"], "value": row[figure], "line": name}
            for name, run in curves.items()
            for row in run.epochs
            if figure in row
        ],
        columns=["epoch", "value", "line"],
    )
    return _lines(rows, title).properties(height=320)


def _lines(rows: pd.DataFrame, title: str) -> alt.Chart:
    return (
        alt.Chart(rows)
        .mark_line(point=True)
        .encode(
            x=_epoch_axis(),
            y=alt.Y("value:Q", title=title, scale=_near()),
            color=alt.Color("line:N", title=None, sort=None, legend=alt.Legend(orient="top")),
            tooltip=["line:N", "epoch:Q", alt.Tooltip("value:Q", format=".3f")],
        )
    )


def _long(rows: Sequence[Mapping[str, Any]], lines: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"epoch": row["epoch"], "value": row[key], "line": name}
            for name, key in lines.items()
            for row in rows
            if key in row
        ],
        columns=["epoch", "value", "line"],
    )


def _epoch_axis() -> alt.X:
    return alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"))


def _near() -> alt.Scale:
    return alt.Scale(zero=False, nice=True)
