"""Photo: one photo, its captions by people and by a model, and similar photos."""

import streamlit as st

from captioning.analysis.bleu import draw_bleu
from captioning.analysis.disk_cache import kept_written
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import Photo
from captioning.errors import CaptioningError
from pages.explore.neighbours import likeness_by_encoder, photo_to_show, step_buttons
from pages.ui import cache
from pages.ui.bleu import LEGEND, colored, show_bleu
from pages.ui.components import problem, show_source
from pages.ui.datasets import Explored, choose_data, fitting_models, photo_grid
from pages.ui.settings import choose_settings
from pages.ui.wording import plain


def picture(explored: Explored, photo: Photo) -> None:
    """Show the photo as large as fits."""
    try:
        data = cache.photo_file(explored.dataset.path(photo))
        copy, width = cache.preview(data, photo.name)
        st.image(copy, width=width, alt=f"The photo {photo.name}")
    except CaptioningError as error:
        problem(error)
    st.caption(f"{plain(photo.name)}, {photo.split or 'in no split'}")


def references(explored: Explored, photo: Photo) -> None:
    """Show the captions that came with the photo."""
    st.subheader(f"What {explored.authors} wrote", anchor=False)
    st.markdown("\n".join(f"- {plain(caption)}" for caption in photo.captions))
    if not photo.captions:
        st.caption("Nobody described this photo.")


def machine(explored: Explored, photo: Photo) -> str | None:
    """Let a model caption the photo if the toggle is on, and return the caption."""
    models = cache.models()
    if not models:
        st.caption("There is no model yet. The Caption page says how to get one.")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.toggle("Ask a model too", key="photo.ask", bind="query-params")
        bundle, decoding = choose_settings("photo", fitting_models(models, explored))
    return said_about(explored, photo, bundle, decoding) if asked else None


def said_about(
    explored: Explored, photo: Photo, bundle: Bundle, decoding: DecodingConfig
) -> str | None:
    """Return a model's caption of the photo, stored or new; None after an error."""
    dataset = explored.dataset
    try:
        kept = photo.split and kept_written(dataset, bundle, photo.split, decoding)
        if kept:
            return kept.captions[photo.name]
        data = cache.photo_file(dataset.path(photo))
        return cache.caption(bundle, data, photo.name, decoding).text
    except CaptioningError as error:
        problem(error)
        return None


def compare(explored: Explored, photo: Photo, caption: str) -> None:
    """Show a model's caption with its BLEU."""
    drawing = draw_bleu(caption, photo.captions)
    st.markdown(f"## {colored(drawing.hypothesis)}")
    st.caption(LEGEND)
    show_bleu(drawing)
    st.page_link(
        "pages/learn/scores/page.py",
        label="Where these figures come from",
        icon=":material/calculate:",
        query_params=explored.link(learn__photo=photo.name, scores__own=caption),
    )


def neighbours(explored: Explored, photo: Photo) -> None:
    """Show the photos most like this one."""
    st.subheader("Photos that look like it", anchor=False)
    try:
        likeness = likeness_by_encoder("photo", explored)
        if likeness is not None:
            pairs = likeness.nearest(photo.name)
            st.caption(f"By the cosine between {plain(likeness.source)}.")
            near = [pair.other for pair in pairs]
            photo_grid("photo.near", explored, near, note=lambda n: f"{pairs[n].cosine:.2f}")
            show_source("captioning.analysis.similarity", "Likeness.nearest")
    except CaptioningError as error:
        problem(error)


st.header("One photo", anchor=False)
explored = choose_data()
photo = photo_to_show(explored)
step_buttons(explored, photo)
left, right = st.columns([1, 1], gap="large")
with left:
    picture(explored, photo)
with right:
    references(explored, photo)
    caption = machine(explored, photo)
    if caption is not None and photo.captions:
        compare(explored, photo, caption)
neighbours(explored, photo)
