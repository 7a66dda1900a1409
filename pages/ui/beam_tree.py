"""The beam search as a tree: beams that were kept, cut, and chosen."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.vocabulary import EOS
from pages.ui import explanations
from pages.ui.pictures import Picture
from pages.ui.theme import look
from pages.ui.wording import percent

if TYPE_CHECKING:
    from captioning.decoding import Node

_STROKES = {"best": "penwidth=2.5 group=best", "ended": "style=bold", "cut": "style=dashed"}


def show_tree(picture: Picture, bundle: Bundle, decoding: DecodingConfig) -> None:
    """Draw the search that wrote the caption."""
    if decoding.strategy != "beam":
        st.caption(
            'Sentences drawn at random have no search tree. Choose "Best sentences" in Settings.'
        )
        return
    nodes = explanations.tree(bundle, picture, decoding)
    st.caption(
        "Read from left to right. Words in solid boxes were kept, words in dashed boxes were cut. "
        "The green path is the best sentence. Changing the length penalty in Settings ranks the "
        "same sentences again, without a new search."
    )
    st.graphviz_chart(draw_tree(nodes, bundle.vocabulary.words), width="stretch")


def draw_tree(nodes: "list[Node]", words: tuple[str, ...]) -> str:
    """Return the tree as Graphviz source, in the colours of the visitor's theme."""
    page = look()
    colours = {"best": page.accent, "ended": page.text, "kept": page.text, "cut": page.muted}
    looks = {
        fate: f'color="{colour}" fontcolor="{colour}" {_STROKES.get(fate, "")}'
        for fate, colour in colours.items()
    }
    lines = [
        "digraph {",
        'rankdir=LR bgcolor="transparent" nodesep=0.06 ranksep=0.16',
        'node [shape=box fontname="sans-serif" fontsize=13 height=0.3 width=0.4]',
        'node [margin="0.04,0.02"]',
        "edge [arrowsize=0.4]",
        f'start [label="begin" {looks["best"]}]',
    ]
    for number, node in enumerate(nodes):
        word = "end" if node.token == EOS else words[node.token]
        shape = "shape=ellipse " if node.token == EOS else ""
        label = f"{word}\\n{percent(node.log_prob)}".replace('"', "")
        before = "start" if node.parent is None else f"n{node.parent}"
        lines.append(f'n{number} [{shape}label="{label}" {looks[node.fate]}]')
        lines.append(f"{before} -> n{number} [{looks[node.fate].replace(' group=best', '')}]")
    return "\n".join([*lines, "}"])
