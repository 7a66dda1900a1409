"""BLEU in colours: words marked by the longest match through them, and the scores."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from captioning.analysis.bleu import BleuDrawing, MarkedWord, NgramUse
from pages.ui.theme import in_rows
from pages.ui.wording import plain

# Colour is not the only sign: the n-grams themselves are listed below the sentences.
_COLORS = ("gray", "orange", "blue", "violet", "green")
_VERDICTS = {
    "counted": ("green", ":material/check:"),
    "clipped": ("orange", ":material/content_cut:"),
    "absent": ("gray", ":material/close:"),
}


def colored(words: Sequence[MarkedWord]) -> str:
    """Write marked words as Markdown; the words of one match are marked together."""
    parts: list[str] = []
    runs: list[tuple[int, list[str]]] = []
    for word in words:
        if runs and runs[-1][0] == word.order and (word.joined or not word.order):
            runs[-1][1].append(word.word)
        else:
            runs.append((word.order, [word.word]))
    for order, run in runs:
        text = plain(" ".join(run))
        parts.append(_tinted(order, text) if order else f":{_COLORS[0]}[{text}]")
    return " ".join(parts) or "(no words)"


def show_bleu(drawing: BleuDrawing) -> None:
    """Show BLEU-1 to BLEU-4 as bars, x100."""
    bleu = [100 * value for value in drawing.score.bleu]
    spoken = ", ".join(f"BLEU-{n} {value:.1f}" for n, value in enumerate(bleu, start=1))
    st.altair_chart(bleu_bars(bleu), alt=f"{spoken}, of 100.")


def show_ngrams(drawing: BleuDrawing, order: int) -> None:
    """List the n-grams of one order as badges: counted, clipped, or in no reference."""
    uses = drawing.ngrams[order - 1]
    st.markdown(" ".join(map(_badge, uses)) or f"The sentence has no {order} words in a row.")
    if any(use.verdict == "clipped" for use in uses):
        st.caption(
            ":material/content_cut: Clipped: it occurs more often than in any one reference, so "
            "repeating it earns nothing."
        )


def bleu_bars(bleu: Sequence[float]) -> alt.LayerChart:
    """Draw BLEU-1 to BLEU-4, x100, as bars from 0 to 100."""
    # The scores are part of the axis labels, which follow the theme; a text mark would stay black.
    names = [f"BLEU-{n}   {value:.1f}" for n, value in enumerate(bleu, start=1)]
    table = pd.DataFrame({"name": names, "value": bleu, "full": 100.0})
    axis = alt.Axis(domain=False, ticks=False, labelPadding=8, labelFontSize=13)
    x = {name: alt.X(f"{name}:Q", scale=alt.Scale(domain=[0, 100]), axis=None) for name in table}
    base = alt.Chart(table).encode(
        y=alt.Y("name:N", title=None, axis=axis), tooltip=[alt.Tooltip("name:N", title="Score")]
    )
    track = base.mark_bar(opacity=0.12, cornerRadius=3).encode(x=x["full"])
    bar = base.mark_bar(cornerRadius=3).encode(x=x["value"])
    return in_rows(alt.layer(track, bar), len(bleu), 28).configure_view(strokeWidth=0)


def _tinted(order: int, text: str) -> str:
    return f":{_COLORS[order]}-background[:{_COLORS[order]}[{text}]]"


def _badge(use: NgramUse) -> str:
    color, icon = _VERDICTS[use.verdict]
    return f":{color}-badge[{icon} {plain(' '.join(use.words))}]"


LEGEND = "Longest match through a word: " + " ".join(
    _tinted(order, f"{order} word{'s' * (order > 1)}") for order in range(1, 5)
)
