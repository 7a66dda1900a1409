"""A chart of the probability of each word of a caption."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pages.ui.wording import percent

if TYPE_CHECKING:
    from captioning.caption import Word

_ROW_HEIGHT = 26


def word_chart(words: "Sequence[Word]") -> dict[str, Any]:
    """Draw the probability of each word, in the order of the sentence, as bars from 0 to 100%.

    Returns:
        A Vega-Lite specification with its numbers inside.  A table or an Altair chart would make
        the first caption of a server wait more than a second for Altair and pandas to import.
    """
    columns: dict[str, list[Any]] = {
        "word": [word.word for word in words],
        "share": [math.exp(word.log_prob) for word in words],
        "text": [percent(word.log_prob) for word in words],
    }
    # A word may occur twice, so rows are keyed by place and labelled with words.
    return {
        "data": {"sequence": {"start": 0, "stop": len(words), "as": "place"}},
        "transform": [
            {"calculate": f"{json.dumps(values)}[datum.place]", "as": name}
            for name, values in columns.items()
        ],
        "layer": [
            _bars({"datum": 1}, columns["word"], "left", opacity=0.12),
            _bars({"field": "share"}, columns["text"], "right"),
        ],
        "resolve": {"scale": {"y": "independent"}},
        "height": _ROW_HEIGHT * len(words),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {"view": {"strokeWidth": 0}},
    }


def _bars(
    length: dict[str, Any], labels: Sequence[object], side: str, **mark: float
) -> dict[str, Any]:
    axis = {"orient": side, "title": None, "domain": False, "ticks": False}
    text = {"labelExpr": f"{json.dumps(labels)}[datum.value]", "labelFontSize": 14}
    x = {**length, "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None}
    y = {
        "field": "place",
        "type": "ordinal",
        "scale": {"paddingInner": 0.45},
        "axis": {**axis, **text, "labelPadding": 8},
    }
    tooltip = [
        {"field": "word", "type": "nominal"},
        {"field": "text", "type": "nominal", "title": "probability"},
    ]
    return {
        "mark": {"type": "bar", "cornerRadius": 3, **mark},
        "encoding": {"x": x, "y": y, "tooltip": tooltip},
    }
