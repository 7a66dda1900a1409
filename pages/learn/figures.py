"""The lessons' pictures: figures, formulas and charts in one look, and how they are shown."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from pages.ui.theme import PAPER, Look, in_rows

DOTS_PER_INCH = 140
_TALL = (r"\frac", r"\sqrt", r"\left", r"\sum", r"\prod")
_ROOM = r"\rule[-1.15em]{0pt}{0pt}"


def figure(look: Look, width: float, height: float, *, tight: bool = True) -> Figure:
    """Return an empty matplotlib figure in the colours of `look`, `width` x `height` inches.

    It belongs to no window, so any number of sessions may draw at once.  Axes added to it by
    `figure.add_axes` or `figure.subplots` inside `drawn` get the colours and the type size too.

    Args:
        look: colours and sizes.
        width: in inches.
        height: in inches.
        tight: let matplotlib find room for labels; that takes as long as drawing itself.
    """
    layout: Literal["constrained"] | None = "constrained" if tight else None
    made = Figure(figsize=(width, height), layout=layout, facecolor=look.ground)
    FigureCanvasAgg(made)
    return made


def png(picture: Figure, look: Look) -> bytes:
    """Return a figure as a PNG, sharp on a screen of twice the usual density."""
    buffer = io.BytesIO()
    canvas = FigureCanvasAgg(picture)
    with rc_context(_settings(look)):
        picture.set_dpi(DOTS_PER_INCH)
        canvas.draw()
    # Without the transparency that no picture has, and little compressed: less than half the time.
    whole = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    whole.save(buffer, "PNG", compress_level=1, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return buffer.getvalue()


def drawn(key: tuple[object, ...], look: Look, draw: Callable[[Look], Figure]) -> bytes:
    """Return the picture that `draw` makes, drawn once for equal keys and looks.

    Args:
        key: names the picture and all it depends on.
        look: passed on to `draw`.
        draw: makes the figure; matplotlib's usual colours follow the look while it runs.
    """
    return _drawn(repr(key), look, draw)


def show_image(data: bytes, *, alt: str, width: int | None = None) -> None:
    """Show an encoded image as it is, at most `width` pixels wide.

    Given a width, or without a format, Streamlit would shrink the image and encode it again as a
    JPEG every time the page is drawn.

    Args:
        data: a PNG or a JPEG.
        alt: what it shows.
        width: in pixels; by default as wide as its place.
    """
    kind: Literal["PNG", "JPEG"] = "PNG" if data.startswith(b"\x89PNG") else "JPEG"
    with st.container(width="stretch" if width is None else width):
        st.image(data, width="stretch", output_format=kind, alt=alt)


def themed(chart: alt.TopLevelMixin, look: Look) -> alt.TopLevelMixin:
    """Set the font size of an Altair chart from `look`; Streamlit sets its colours."""
    size = 18 if look.large else 13
    return (
        chart.configure_axis(labelFontSize=size, titleFontSize=size, labelLimit=400)
        .configure_legend(labelFontSize=size, titleFontSize=size)
        .configure_title(fontSize=size + 2)
        .configure_view(strokeWidth=0)
    )


def roomy(latex: str) -> str:
    r"""Add space below the tall parts of a formula, for where it wraps.

    The space is a rule without width; inside a part it would make brackets and bars larger.

    >>> roomy(r"a = \frac{1}{2} + b")
    'a = \\rule[-1.15em]{0pt}{0pt}\\frac{1}{2} + b'
    """
    made, depth = [], 0
    for part in re.split(r"(\\[a-zA-Z]+|[{}])", latex):
        if depth == 0 and part in _TALL:
            made.append(_ROOM)
        depth += (part in ("{", r"\left")) - (part in ("}", r"\right"))
        made.append(part)
    return "".join(made)


@st.cache_data(max_entries=256, show_spinner=False)
def formula_png(latex: str) -> bytes | None:
    """Return a formula as a PNG for paper; None if matplotlib cannot render it."""
    picture = figure(PAPER, 0.1, 0.1)
    buffer = io.BytesIO()
    try:
        picture.set_layout_engine("none")
        picture.text(0, 0, f"${latex}$", fontsize=13, color="#000000")
        picture.savefig(buffer, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight")
    except ValueError:
        return None
    return buffer.getvalue()


@st.cache_data(max_entries=96, show_spinner=False)  # 0.1 to 0.2 MB each
def _drawn(key: str, look: Look, _draw: Callable[[Look], Figure]) -> bytes:
    with rc_context(_settings(look)):
        return png(_draw(look), look)


def _settings(look: Look) -> dict[str, object]:
    """Matplotlib's settings that follow from a look."""
    size = look.font_size
    return {
        "font.size": size,
        "axes.titlesize": size,
        "axes.labelsize": size,
        "xtick.labelsize": size * 0.9,
        "ytick.labelsize": size * 0.9,
        "text.color": look.text,
        "axes.labelcolor": look.text,
        "axes.titlecolor": look.text,
        "axes.edgecolor": look.border,
        "axes.facecolor": look.ground,
        "figure.facecolor": look.ground,
        "xtick.color": look.text,
        "ytick.color": look.text,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "image.cmap": look.heat,
    }


def paired_bars(
    table: pd.DataFrame, who: str, colours: dict[str, str], words: Sequence[str], step: int
) -> alt.Chart:
    """Draw the shares of `table` as pairs of bars.

    Args:
        table: columns `word`, `share` from 0 to 1, and `who`, whose share it is.
        who: the name of that last column, which the tooltip shows.
        colours: of each of them, in the order from above.
        words: in the order from above.
        step: height of a bar, in pixels.
    """
    kinds = list(colours)
    chart = (
        alt.Chart(table)
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X("share:Q", title="probability", axis=alt.Axis(format="%")),
            y=alt.Y("word:N", sort=list(words), title=None),
            yOffset=alt.YOffset(f"{who}:N", sort=kinds),
            color=alt.Color(
                f"{who}:N",
                scale=alt.Scale(domain=kinds, range=list(colours.values())),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=["word:N", f"{who}:N", alt.Tooltip("share:Q", format=".2%")],
        )
    )
    return in_rows(chart, len(set(words)), round(len(kinds) * step * 1.25))
