"""A chart of the probability of each word of a caption."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import altair as alt
import pandas as pd

from pages.ui.theme import in_rows
from pages.ui.wording import percent

if TYPE_CHECKING:
    from captioning.caption import Word

__all__ = ["word_chart"]


def word_chart(words: "Sequence[Word]") -> alt.LayerChart:
    """Draw the probability of each word, in the order of the sentence, as bars from 0 to 100%."""
    table = pd.DataFrame(
        {
            "place": range(len(words)),
            "word": [word.word for word in words],
            "share": [math.exp(word.log_prob) for word in words],
            "text": [percent(word.log_prob) for word in words],
            "full": 1.0,
        }
    )

    def bars(length: str, labels: str, side: Literal["left", "right"]) -> alt.Chart:
        # A word may occur twice, so rows are keyed by place and labelled with words.
        names = alt.Axis(
            labelExpr=f"{json.dumps(list(table[labels]))}[datum.value]",
            **{"orient": side, "title": None, "domain": False, "ticks": False},
            **{"labelPadding": 8, "labelFontSize": 14},
        )
        return alt.Chart(table).encode(
            x=alt.X(f"{length}:Q", scale=alt.Scale(domain=[0, 1]), axis=None),
            y=alt.Y("place:O", scale=alt.Scale(paddingInner=0.45), axis=names),
            tooltip=[alt.Tooltip("word:N"), alt.Tooltip("text:N", title="probability")],
        )

    track = bars("full", "word", "left").mark_bar(cornerRadius=3, opacity=0.12)
    share = bars("share", "text", "right").mark_bar(cornerRadius=3)
    chart = alt.layer(track, share).resolve_axis(y="independent")
    return in_rows(chart, len(words), 26).configure_view(strokeWidth=0)
