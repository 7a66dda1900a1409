"""Merge, inject and attention side by side: where the photo comes in, and what each writes."""

import streamlit as st

from captioning.bundle import Bundle
from captioning.decoders import DECODERS
from captioning.errors import CaptioningError
from captioning.lessons.worksheet import Table
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.theme import Look
from pages.ui.wording import percent, plain

__all__ = ["diagram", "show_kinds"]


def show_kinds(page: LessonPage) -> None:
    """Show the kinds of decoder, with a model of each where there is one."""
    page.heading("Ways to bring the photo in")
    asked = st.toggle("Let each model at hand write about this photo", key="attention.kinds")
    rows: list[list[str]] = []
    columns = st.columns(len(DECODERS), gap="medium")
    for column, (kind, spec) in zip(columns, DECODERS.items(), strict=True):
        about = spec.summary
        with column.container(border=True):
            st.markdown(f"**{kind.capitalize()}**")
            st.graphviz_chart(diagram(kind, page.look), width="stretch")
            st.caption(about)
            rows.append([kind, about, _show_model(page, kind, asked=asked)])
    page.keep(Table(["kind", "how the photo comes in", "what it writes"], rows))
    page.aside(
        "Models differ in more than their kind if they were trained differently. flickr8k-compact, "
        "flickr8k-merge and flickr8k-inject share encoder, words, data and number of epochs. For a "
        "comparison of your own do the same, and compare the runs on the page Compare."
    )


def diagram(kind: str, look: Look) -> str:
    """Draw where the photo enters, in the language of Graphviz, in the colours of `look`."""
    grey = f'color="{look.border}" fontcolor="{look.muted}"'
    green = f'color="{look.accent}" fontcolor="{look.accent}"'
    return (
        'digraph { rankdir=TB bgcolor="transparent" nodesep=0.25 ranksep=0.25 '
        f'node [shape=box fontname="sans-serif" fontsize=12 height=0.3 {grey}] '
        f'edge [arrowsize=0.5 fontname="sans-serif" fontsize=10 {grey}] '
        f'photo [label="photo" {green}] word [label="word"] cell [label="LSTM"] '
        f'next [label="next word"] {DECODERS[kind].diagram} }}'
    )


def _show_model(page: LessonPage, kind: str, *, asked: bool) -> str:
    """Show what a model of this kind says, if it is asked; return it for the worksheet."""
    found = inspector.models_of(kind, page.subject.bundle)
    if not found:
        st.caption(f":material/block: No model of the kind {kind} is at hand.")
        st.page_link("pages/train/new.py", label="Train one", icon=":material/add_circle:")
        return "no model at hand"
    if not asked:
        names = ", ".join(f"**{plain(bundle.name)}**" for bundle in found)
        st.caption(f"At hand: {names}")
        return "not asked"
    return _write(page, found)


def _write(page: LessonPage, found: list[Bundle]) -> str:
    """Let the first model that can be loaded write about the photo."""
    picture, fault = page.subject.picture, None
    for bundle in found:
        try:
            caption = cache.caption(bundle, picture.data, picture.name, bundle.decoding)
        except CaptioningError as error:
            fault = error
            continue
        st.markdown(f"### {plain(caption.text) or '(no words)'}")
        st.caption(
            f"**{plain(bundle.name)}**, encoder {bundle.encoder.name}: {percent(caption.log_prob)}"
        )
        return f"{bundle.name}: {caption.text}"
    if fault is not None:
        problem(fault)
    return "cannot be loaded here"
