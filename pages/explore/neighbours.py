"""The photos around one: before and after it in its split, and those that look like it.

Photos are compared by what a model's encoder sees in them, or by their colours.
"""

import streamlit as st

from captioning.analysis.similarity import Likeness, kept_likeness, open_likeness
from captioning.bundle import Bundle
from captioning.datasets import Photo
from pages.ui import cache
from pages.ui.datasets import Explored, fitting_models
from pages.ui.photos import choose_photo, chosen_photo
from pages.ui.progress import features_of, with_progress
from pages.ui.wording import plain

_FEW = 500
"""Up to this many photos are compared without asking first."""
PAGE = "photo"


def photo_to_show(explored: Explored) -> Photo:
    """Return the photo that the link names; if there is none, the first one with a warning."""
    name = chosen_photo(PAGE)
    if name is not None and name in explored.dataset:
        return explored.dataset[name]
    if name is not None:
        st.warning(
            f"{plain(explored.dataset.name)} has no photo {plain(name)}. This is another one."
        )
    return explored.first_photo()


def step_buttons(explored: Explored, photo: Photo) -> None:
    """Offer the photos before and after this one in its split; the arrow keys do the same."""
    photos = explored.photos(photo.split)
    place = photos.index(photo)
    with st.container(horizontal=True, vertical_alignment="center"):
        _step("Previous", "Left", photos[place - 1 : place])
        _step("Next", "Right", photos[place + 1 : place + 2])
        st.caption(f"{place + 1:,} of {len(photos):,} in {photo.split or 'all'}")


def _step(label: str, key: str, photos: tuple[Photo, ...]) -> None:
    st.button(
        label,
        shortcut=key,
        disabled=not photos,
        key=f"{PAGE}.{label.lower()}",
        on_click=choose_photo,
        args=(PAGE, photos[0].name if photos else ""),
    )


def likeness_of(page: str, explored: Explored) -> Likeness | None:
    """Return how similar the photos are; asks first if that takes long."""
    dataset = explored.dataset
    explored.likeness = explored.likeness or kept_likeness(dataset)
    if explored.likeness is not None:
        return explored.likeness
    place = st.empty()
    with place.container():
        st.caption(f"{len(dataset):,} photos have to be compared once.")
        if len(dataset) > _FEW and not st.button("Compare the photos", key=f"{page}.compare"):
            return None
        explored.likeness = with_progress(
            "Reading the photos…", lambda report: open_likeness(dataset, on_progress=report)
        )
    place.empty()
    return explored.likeness


def likeness_by_encoder(page: str, explored: Explored) -> Likeness | None:
    """Return how similar the photos are by the features of a model, unless that is switched off.

    Where no model can run, or it is switched off, small copies of the photos are compared.

    Raises:
        CaptioningError: the model cannot be loaded, or features cannot be written.
    """
    explored.likeness = explored.likeness or kept_likeness(explored.dataset)
    if explored.likeness is not None and explored.likeness.by_meaning:
        return explored.likeness
    bundle = _encoder(explored)
    if bundle is None or not st.toggle(
        "Compare what the photos show, not their colours",
        value=True,
        key=f"{page}.by_encoder",
        help="The encoder of a model reads each photo once; the result is kept.",
    ):
        return likeness_of(page, explored)
    if features_of(page, explored.dataset, bundle) is None:
        return None
    explored.likeness = with_progress(
        "Comparing the photos…", lambda report: open_likeness(explored.dataset, on_progress=report)
    )
    st.rerun()


def _encoder(explored: Explored) -> Bundle | None:
    """Return the first model that can run and learned from pictures of this kind."""
    models = fitting_models(cache.models(), explored).values()
    return next((bundle for bundle in models if bundle.has_weights), None)
