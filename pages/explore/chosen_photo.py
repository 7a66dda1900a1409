"""The photo that the page shows, and buttons for the photos before and after it."""

import streamlit as st

from captioning.datasets import Photo
from pages.ui.datasets import Explored
from pages.ui.photos import choose_photo, chosen_photo
from pages.ui.wording import plain

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
