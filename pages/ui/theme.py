"""How pictures look: light, dark, large for a projector, or on paper.

Colours of the page's theme, for what Streamlit does not colour by itself.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

if TYPE_CHECKING:  # altair takes long to import, and every page has a look
    import altair as alt

Rows = TypeVar("Rows", "alt.Chart", "alt.LayerChart")


@dataclass(frozen=True)
class Look:
    """Colours and sizes of a picture.

    Attributes:
        dark: whether the page is dark.
        large: whether it is shown on a projector.
        text: colour of text and lines, as `#rrggbb`; 7:1 and more against `ground`.
        muted: colour of secondary text; 4.5:1 and more against `ground`.
        ground: colour of the page.
        panel: colour of a box on the page.
        border: colour of a box's edge.
        accent: the one colour that says "look here"; 4.5:1 and more against `ground`.
        series: colours of several things, distinguished by shape or label too.
        heat: name of matplotlib's colour map from nothing (the ground) to much.
        font_size: in points at a picture's own size.
    """

    dark: bool
    large: bool
    text: str
    muted: str
    ground: str
    panel: str
    border: str
    accent: str
    series: tuple[str, ...]
    heat: str
    font_size: float


_LIGHT = Look(
    dark=False,
    large=False,
    text="#0c1211",
    muted="#5a6664",
    ground="#ffffff",
    panel="#f2f5f4",
    border="#8a9694",
    accent="#0e766e",
    series=("#0e766e", "#8a6d1f", "#5b4b8a", "#a04a3c", "#3d6b99", "#6b7472"),
    heat="YlGnBu",
    font_size=10.0,
)
_DARK = Look(
    dark=True,
    large=False,
    text="#e6ebea",
    muted="#a3adab",
    ground="#101514",
    panel="#1a201f",
    border="#6c7876",
    accent="#3fb5a9",
    series=("#3fb5a9", "#d0b05a", "#a796d6", "#e09482", "#86b3de", "#a3adab"),
    heat="viridis",
    font_size=10.0,
)
PAPER = replace(_LIGHT, text="#000000", muted="#444444", heat="YlGnBu")
"""How pictures look on a worksheet."""


def look(*, large: bool = False) -> Look:
    """Return the look of the page as this visitor sees it.

    Args:
        large: for a projector: larger type, and text at full contrast.
    """
    found = _DARK if st.context.theme.type == "dark" else _LIGHT
    if not large:
        return found
    extreme = "#ffffff" if found.dark else "#000000"
    return replace(found, large=True, text=extreme, muted=found.text, font_size=14.0)


def in_rows(chart: Rows, count: int, height: int) -> Rows:
    """Return a chart whose rows have a fixed height, and which is as wide as its place.

    Vega warns about `alt.Step` in a chart that is fitted to its place, as Streamlit's are.

    Args:
        chart: with one row for each value of `y`.
        count: number of rows.
        height: of a row, in pixels.
    """
    import altair as alt

    fitted = alt.AutoSizeParams(type="fit-x", contains="padding")
    made: Rows = chart.properties(height=count * height, autosize=fitted)
    return made
