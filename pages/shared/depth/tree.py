"""The beam search as a tree: what was kept, what was cut, what won."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundles import Bundle
from captioning.config import DecodingConfig
from captioning.vocabulary import EOS
from pages.shared.depth import work
from pages.shared.pictures import Picture
from pages.shared.wording import percent

if TYPE_CHECKING:
    from captioning.decoding import Node

__all__ = ["draw_tree", "show_tree"]

# Colours that stand out from a white and from a black page alike.
_LOOKS = {
    "best": 'color="#149085" fontcolor="#149085" penwidth=2.5',
    "ended": 'color="#7d8987" fontcolor="#7d8987" style=bold',
    "kept": 'color="#7d8987" fontcolor="#7d8987"',
    "cut": 'color="#a0a8a6" fontcolor="#a0a8a6" style=dashed',
}


def show_tree(picture: Picture, bundle: Bundle, decoding: DecodingConfig) -> None:
    """Draw the search that wrote the caption."""
    if decoding.strategy != "beam":
        st.caption("Sentences drawn at random have no tree. Choose the best sentences in Settings.")
        return
    nodes = work.tree(bundle, picture, decoding)
    st.caption(
        "Read from left to right. Solid words were kept, dashed ones cut, green is the sentence "
        "that won. Moving the length penalty in Settings ranks the ends anew without a search."
    )
    st.graphviz_chart(draw_tree(nodes, bundle.vocabulary.words), width="stretch")


def draw_tree(nodes: "list[Node]", words: tuple[str, ...]) -> str:
    """Write the tree in the language of Graphviz."""
    lines = [
        "digraph {",
        'rankdir=LR bgcolor="transparent" nodesep=0.08 ranksep=0.35',
        'node [shape=box fontname="sans-serif" fontsize=12 height=0.3 margin="0.08,0.03"]',
        "edge [arrowsize=0.5]",
        f'start [label="begin" {_LOOKS["best"]}]',
    ]
    for number, node in enumerate(nodes):
        word = "end" if node.token == EOS else words[node.token]
        shape = "shape=ellipse " if node.token == EOS else ""
        label = f"{word}\\n{percent(node.log_prob)}".replace('"', "")
        look = _LOOKS[node.fate]
        before = "start" if node.parent is None else f"n{node.parent}"
        lines.append(f'n{number} [{shape}label="{label}" {look}]')
        lines.append(f"{before} -> n{number} [{look}]")
    return "\n".join([*lines, "}"])
