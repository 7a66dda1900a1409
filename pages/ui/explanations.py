"""Explanations of a caption and of its search; the photo is encoded a single time."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.image_metadata import CaptionedPhoto, write_caption
from captioning.images import read_image
from captioning.vocabulary import EOS
from pages.ui import cache
from pages.ui.pictures import Picture, as_jpeg
from pages.ui.theme import look
from pages.ui.wording import percent

if TYPE_CHECKING:
    import numpy as np

    from captioning.captioner import Captioner
    from captioning.decoding import Node
    from captioning.explain import Evidence, Rival

_STROKES = {"best": "penwidth=2.5 group=best", "ended": "style=bold", "cut": "style=dashed"}


def rivals(bundle: Bundle, picture: Picture, sentence: str) -> "list[list[Rival]]":
    """Return the alternatives for each word of a sentence."""
    from captioning import explain

    captioner = cache.captioner(bundle)
    features = cache.features(bundle, picture.data, picture.name)
    return explain.rivals(captioner.read(features, sentence), bundle.vocabulary)


def evidence(bundle: Bundle, picture: Picture, sentence: str) -> "list[Evidence]":
    """Return how much the photo raised the probability of each word."""
    from captioning import explain

    features = cache.features(bundle, picture.data, picture.name)
    return explain.seen_or_guessed(cache.captioner(bundle), features, sentence)


def has_attention(bundle: Bundle) -> bool:
    """Return whether the model looks at parts of the photo for each word."""
    return bundle.decoder.kind == "attention"


def map_on_photo(
    bundle: Bundle, picture: Picture, sentence: str, place: int, *, covering: bool
) -> bytes:
    """Return the photo with the regions behind the word at `place` bright, as JPEG.

    Args:
        bundle: the model.
        picture: the photo.
        sentence: what was written about it.
        place: index of the word.
        covering: use occlusion, block by block, instead of attention.
    """
    maps = _occlusion if covering else _attention
    captioner = cache.captioner(bundle)
    version = cache.version(bundle)
    found = maps(captioner, bundle, str(bundle.folder), version, picture, sentence)
    return _lit(picture, found[place])


def tree(bundle: Bundle, picture: Picture, decoding: DecodingConfig) -> "list[Node]":
    """Return the search tree of the caption; the model does not run again."""
    from captioning.decoding import read_tree

    trace, _ = cache.trace(bundle, picture.data, picture.name, decoding)
    return read_tree(trace, length_penalty=decoding.length_penalty)


def show_tree(picture: Picture, bundle: Bundle, decoding: DecodingConfig) -> None:
    """Draw the search that wrote the caption."""
    if decoding.strategy != "beam":
        st.caption(
            'Sentences drawn at random have no search tree. Choose "Best sentences" in Settings.'
        )
        return
    nodes = tree(bundle, picture, decoding)
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


@st.cache_data(max_entries=8, show_spinner=False)
def captioned_copy(
    photo: bytes,
    caption: str,
    *,
    writer: str,
    version: str,
    confidence: float | None,
    doubtful: bool,
) -> CaptionedPhoto:
    """Return a copy of the photo file with the caption in it."""
    return write_caption(
        photo, caption, writer=writer, version=version, confidence=confidence, doubtful=doubtful
    )


def _attention(
    captioner: "Captioner", bundle: Bundle, folder: str, version: int, picture: Picture, text: str
) -> "np.ndarray":
    from captioning import explain

    features = cache.features(bundle, picture.data, picture.name)
    return explain.attention_maps(captioner.read(features, text), captioner.encoder.grid)


@st.cache_data(max_entries=64, show_spinner="Covering the photo block by block…")
def _occlusion(
    _captioner: "Captioner", _bundle: Bundle, folder: str, version: int, picture: Picture, text: str
) -> "np.ndarray":
    from captioning import explain

    features = cache.features(_bundle, picture.data, picture.name)
    photo = read_image(picture.data, name=picture.name)
    return explain.occlusion_maps(_captioner, photo, features, text)


@st.cache_data(max_entries=128, show_spinner=False)
def _lit(picture: Picture, values: "np.ndarray") -> bytes:
    from captioning import explain

    copy, _ = cache.preview(picture.data, picture.name)
    return as_jpeg(explain.spotlight(read_image(copy), values))
