"""Find photos: by a sentence, by a model's captions, or by an example photo."""

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError
from pages.library.find_by import (
    EXAMPLE,
    HUMAN,
    MACHINE,
    OWN_WAYS,
    WAYS,
    by_example,
    by_human,
    by_machine,
    by_model,
    way_label,
)
from pages.library.recall import show_recall
from pages.library.sources import Place, own_photos, photos_of
from pages.ui.components import problem, prose
from pages.ui.datasets import choose_data, fitting_models
from pages.ui.settings import choose_settings, open_page

DATA, OWN = "A data set", "My photos"


def find(way: str, place: Place, bundle: Bundle, decoding: DecodingConfig) -> None:
    """Show the photos that are found in a place."""
    if way == EXAMPLE:
        by_example("find", place, bundle)
        return
    sentence = ask(drawn=place.explored is not None and place.explored.generated)
    if not sentence.strip():
        prose("find-help")
    elif way == HUMAN and place.explored is not None:
        by_human("find", place, place.explored, sentence)
    elif way == MACHINE:
        by_machine("find", place, bundle, decoding, sentence)
    else:
        by_model("find", place, bundle, sentence)


def ask(*, drawn: bool) -> str:
    """Ask for the sentence, with an example about drawn shapes or about photos."""
    return st.text_input(
        "A sentence about the photos",
        placeholder="a red star and a blue circle" if drawn else "a dog runs through the snow",
        key="find.sentence",
        bind="query-params",
    )


models = open_page("find", "Find photos")
first = st.container(
    horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
)
with first:
    where = st.segmented_control(
        "Photos to search",
        [DATA, OWN],
        default=DATA,
        required=True,
        label_visibility="collapsed",
        key="find.where",
        bind="query-params",
    )
explored = choose_data() if where == DATA else None
with first:
    bundle, decoding = choose_settings(
        "find", fitting_models(models, explored) if explored else models
    )
place = photos_of("find", explored) if explored else own_photos("find")
ways = WAYS if explored else OWN_WAYS  # nobody has described a visitor's photos
way = st.segmented_control(
    "Way to search",
    ways,
    default=ways[0],
    required=True,
    format_func=lambda way: way_label(way, explored),
    label_visibility="collapsed",
    key="find.by",
    bind="query-params",
)
try:
    if place.photos:
        find(way, place, bundle, decoding)
    else:
        st.info("Upload photos of your own above. They are deleted when this session ends.")
    if explored:
        show_recall("find", place.split, explored, bundle)
except CaptioningError as error:
    problem(error)
