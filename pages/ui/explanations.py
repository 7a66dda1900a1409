"""Explanations of a caption, each computed once; the photo is encoded a single time."""

from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.image_metadata import CaptionedPhoto, write_caption
from captioning.images import read_image
from pages.ui import cache
from pages.ui.pictures import Picture, as_jpeg

if TYPE_CHECKING:
    import numpy as np

    from captioning.captioner import Captioner
    from captioning.decoding import Node
    from captioning.explain import Evidence, Rival


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
