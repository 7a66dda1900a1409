"""Bringing photos to a page: from the disk, the camera, the data set at hand, or the app itself."""

import streamlit as st

from captioning.datasets import CaptionDataset
from captioning.errors import CaptioningError
from captioning.image_formats import ENDINGS
from pages.ui import cache, state
from pages.ui.components import problem
from pages.ui.pictures import Picture
from pages.ui.samples import PHOTO_SAMPLES, sample_file
from pages.ui.wording import plain

__all__ = ["MOST_AT_ONCE", "SOURCES", "bring_photos", "choose_source"]

PHOTO, SAMPLE = "photo", "sample"  # what was chosen stands in the link under these
UPLOAD, CAMERA, GALLERY = SOURCES = ("Upload", "Camera", "Gallery")
MOST_AT_ONCE = 24
_PER_PAGE = 12


def choose_source(page: str) -> str:
    """Ask where the photo comes from, one of `SOURCES`."""
    return st.segmented_control(
        "Where the photo comes from",
        SOURCES,
        default=UPLOAD,
        required=True,
        label_visibility="collapsed",
        key=f"{page}.source",
        bind="query-params",
    )


def bring_photos(page: str, source: str) -> list[Picture]:
    """Let a person bring photos from `source`; none as long as nothing was brought."""
    match source:
        case "Camera":
            return _taken(page)
        case "Gallery":
            return _picked(page)
        case _:
            return _uploaded(page)


def _uploaded(page: str) -> list[Picture]:
    files = st.file_uploader(
        "Photos from this device",
        type=ENDINGS,
        accept_multiple_files=True,
        key=f"{page}.upload",
        help="They stay in this server's memory until you remove them or leave.",
    )
    if not files:
        return _sample(page)
    state.forget_photo(page, SAMPLE)
    if len(files) > MOST_AT_ONCE:
        st.caption(f"The first {MOST_AT_ONCE} of {len(files)} photos are captioned here.")
    return [Picture(file.name, file.getvalue()) for file in files[:MOST_AT_ONCE]]


def _sample(page: str) -> list[Picture]:
    """Offer the photos that come with the app; return the one chosen, if any."""
    name = state.chosen_photo(page, SAMPLE)
    if name in PHOTO_SAMPLES:
        _way_back(page, "Other photos", SAMPLE)
        file = sample_file(name)
        return [Picture(file.name, file.read_bytes())]
    st.caption("No photo at hand? Try one of these, or the camera, or the gallery.")
    with st.grid(6, min_column_width=130):
        for name in PHOTO_SAMPLES:
            _offer(page, name, cache.thumbnail(sample_file(name)), SAMPLE)
    return []


def _taken(page: str) -> list[Picture]:
    with st.container(width=640):
        shot = st.camera_input("Take a photo", key=f"{page}.camera")
    return [Picture("your photo", shot.getvalue())] if shot else []


def _picked(page: str) -> list[Picture]:
    try:
        dataset = cache.gallery()
        name = state.chosen_photo(page)
        if name is None:
            _thumbnails(page, dataset)
            return []
        _way_back(page, "Back to the gallery", PHOTO)
        return [Picture(name, cache.photo_file(dataset.path(dataset[name])))]
    except CaptioningError as error:
        problem(error)
        return []


def _thumbnails(page: str, dataset: CaptionDataset) -> None:
    photos = dataset.split("test")
    st.caption(
        f"{plain(dataset.name)}, test split: {len(photos):,} photos that models do not train on."
    )
    place = st.container()
    number = st.pagination(
        -(-len(photos) // _PER_PAGE), key=f"{page}.gallery_page", bind="query-params"
    )
    first = (number - 1) * _PER_PAGE
    with place, st.grid(6, min_column_width=130):
        for photo in photos[first : first + _PER_PAGE]:
            _offer(page, photo.name, cache.thumbnail(dataset.path(photo)), PHOTO)


def _offer(page: str, name: str, small: bytes, part: str) -> None:
    with st.container(gap="xsmall"):
        st.image(small, width="stretch", alt=name)
        st.button(
            "Caption this",
            type="tertiary",
            width="stretch",
            key=f"{page}.pick.{name}",
            on_click=state.choose_photo,
            args=(page, name, part),
        )


def _way_back(page: str, label: str, part: str) -> None:
    st.button(
        label,
        icon=":material/arrow_back:",
        type="tertiary",
        key=f"{page}.back",
        on_click=state.forget_photo,
        args=(page, part),
    )
