"""BLEU in colours: words marked by their longest match, and the arithmetic."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from captioning.analysis.bleu_breakdown import BleuDrawing, MarkedWord, NgramUse
from captioning.analysis.bleu_examples import MisleadingScore
from pages.ui.datasets import Explored
from pages.ui.photo_grid import photo_page, thumbnail
from pages.ui.wording import plain

__all__ = [
    "LEGEND",
    "bleu_bars",
    "colored",
    "show_arithmetic",
    "show_bleu",
    "show_drawing",
    "show_example",
    "show_ngrams",
]

# Not by colour alone: the n-grams are also listed below the sentences.
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


def show_drawing(drawing: BleuDrawing) -> None:
    """Show the hypothesis above its references, the matches in colour."""
    st.markdown(f"### {colored(drawing.hypothesis)}")
    st.markdown(f":small[{LEGEND}]")
    for number, reference in enumerate(drawing.references):
        nearest = number == drawing.nearest
        length = f":gray[{len(reference)} words{', nearest in length' * nearest}]"
        st.markdown(f"{number + 1}. {colored(reference)}  \n{length}")


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
            ":material/content_cut: Clipped: it occurs more often than in any single reference, so "
            "the repetition does not count."
        )


def show_arithmetic(drawing: BleuDrawing, order: int) -> None:
    """Show the counts, the brevity penalty, and the product that is the score."""
    precisions = drawing.score.precisions
    st.table(
        {
            "n-grams of": [f"{n} word{'s' * (n > 1)}" for n in range(1, 5)],
            "in the caption": [
                p.total if drawing.ngrams[n] else 0 for n, p in enumerate(precisions)
            ],
            "counted": [p.clipped for p in precisions],
            "precision": [f"{p.clipped}/{p.total} = {p.value:.3f}" for p in precisions],
        },
        hide_index=True,
        border="horizontal",
    )
    st.latex(drawing.penalty_arithmetic())
    st.latex(drawing.arithmetic(order))


def show_example(key: str, explored: Explored, example: MisleadingScore) -> None:
    """Show a caption whose score misleads, with the photo, and offer to analyse it."""
    left, right = st.columns([1, 3], vertical_alignment="center")
    with left:
        thumbnail(explored, example.photo)
    with right:
        st.markdown(f"**{plain(example.hypothesis)}**")
        st.caption(
            f"BLEU-1 {example.bleu[0]:.0f}, BLEU-4 {example.bleu[3]:.0f}. Others wrote: "
            + "; ".join(plain(text) for text in example.references[:3])
        )
        if example.wrong_words:
            st.caption(f"Wrong here: **{plain(', '.join(example.wrong_words))}**.")
        parameters = photo_page(explored, example.photo)
        st.page_link(
            "pages/explore/bleu.py",
            label="Analyse this score",
            icon=":material/calculate:",
            query_params={**parameters, "bleu.text": example.hypothesis},
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
    chart = alt.layer(track, bar).properties(height=alt.Step(28))
    return chart.configure_view(strokeWidth=0)


def _tinted(order: int, text: str) -> str:
    return f":{_COLORS[order]}-background[:{_COLORS[order]}[{text}]]"


def _badge(use: NgramUse) -> str:
    color, icon = _VERDICTS[use.verdict]
    return f":{color}-badge[{icon} {plain(' '.join(use.words))}]"


LEGEND = "Longest match through a word: " + " ".join(
    _tinted(order, f"{order} word{'s' * (order > 1)}") for order in range(1, 5)
)
