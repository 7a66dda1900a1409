"""Add photos to a page: from the disk, the camera, the data set, or the samples of the app.

The session keeps the photos (`pages.ui.state`), so they are still there after a visit to another
page.
"""

import streamlit as st

from captioning.datasets import CaptionDataset
from captioning.errors import CaptioningError
from pages.ui import cache, state
from pages.ui.components import problem
from pages.ui.pictures import Picture
from pages.ui.samples import PHOTO_SAMPLES, sample_file
from pages.ui.wording import plain

PHOTO, SAMPLE = "photo", "sample"  # names of the choice in the link
UPLOAD, CAMERA, GALLERY = SOURCES = ("Upload", "Camera", "Gallery")
MOST_AT_ONCE = 24
PHOTO_TYPES = ("image/*", ".heic", ".heif", ".hif", ".avif", ".mpo")
"""Files to offer for upload; some systems do not know that the named ones are pictures."""
_PER_PAGE = 12

# Passes a pasted picture to the uploader, as if its file had been chosen there.
_PASTE = st.components.v2.component(
    "paste_photo",
    html="<span></span>",
    js="""
    export default function () {
      const onPaste = (event) => {
        const files = event.clipboardData ? event.clipboardData.files : [];
        const input = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
        if (!files.length || !input) return;
        input.files = files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      };
      document.addEventListener("paste", onPaste);
      return () => document.removeEventListener("paste", onPaste);
    }
    """,
)


def brought_photos(page: str) -> list[Picture]:
    """Return the photos to caption: those that the link names, else those of the session."""
    try:
        sample, name = state.chosen_photo(page, SAMPLE), state.chosen_photo(page)
        if sample in PHOTO_SAMPLES:
            file = sample_file(sample)
            state.keep_photos(page, [Picture(file.name, file.read_bytes())])
        elif name is not None:
            dataset = cache.gallery()
            photo = cache.photo_file(dataset.path(dataset[name]))
            state.keep_photos(page, [Picture(name, photo)])
    except CaptioningError as error:
        problem(error)
        return []
    return state.kept_photos(page)


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
    """Let a person add photos from `source`; return those added so far."""
    offer_photos(page, source)
    offer_samples(page, source)
    return brought_photos(page)


def offer_photos(page: str, source: str) -> None:
    """Show the control for photos of `source`; `brought_photos` returns the photos."""
    {UPLOAD: _drop, CAMERA: _take, GALLERY: _pick}[source](page)


def name_in_link(page: str) -> str | None:
    """Return the name of the photo in a link; None for a visitor's photo."""
    return state.chosen_photo(page, SAMPLE) or state.chosen_photo(page)


def offer_samples(page: str, source: str) -> None:
    """Offer the sample photos until a photo is chosen; then offer to remove it."""
    if source != UPLOAD:
        return
    if kept := state.kept_photos(page):
        _start_over(page, "Remove the photos" if len(kept) > 1 else "Remove the photo")
        return
    st.caption("No photo here? Try one of these.")
    # Three in a row on a phone.
    with st.container(width=720), st.grid(6, min_column_width=100, vertical_alignment="bottom"):
        _offer_last(page)
        for name in PHOTO_SAMPLES:
            _offer(page, name, cache.thumbnail(sample_file(name)), SAMPLE)


def _drop(page: str) -> None:
    # A new uploader for each photo: the next photo replaces the last.
    number = st.session_state.get(_counter(page), 0)
    key = f"{page}.upload.{number}" if number else f"{page}.upload"
    st.file_uploader(
        "Drop a photo, paste one, or take one",
        type=PHOTO_TYPES,
        accept_multiple_files=True,
        key=key,
        help="It stays in this server's memory until you add another photo or leave.",
        on_change=_keep_uploaded,
        args=(page, key),
    )
    _PASTE(key=f"{page}.paste")


def _keep_uploaded(page: str, key: str) -> None:
    files = st.session_state[key]
    if not files:
        return
    st.session_state[_counter(page)] = st.session_state.get(_counter(page), 0) + 1
    _keep(page, [Picture(file.name, file.getvalue()) for file in files[:MOST_AT_ONCE]])
    st.session_state[f"{page}.left_out"] = max(0, len(files) - MOST_AT_ONCE)


def _take(page: str) -> None:
    with st.container(width=640):
        st.camera_input("Take a photo", key=f"{page}.camera", on_change=_keep_shot, args=(page,))


def _keep_shot(page: str) -> None:
    shot = st.session_state[f"{page}.camera"]
    _keep(page, [Picture("your photo", shot.getvalue())] if shot else [])


def _keep(page: str, pictures: list[Picture]) -> None:
    state.keep_photos(page, pictures)
    st.session_state[f"{page}.left_out"] = 0
    for part in (SAMPLE, PHOTO):
        state.forget_photo(page, part)


def _pick(page: str) -> None:
    try:
        if state.chosen_photo(page) is None:
            _thumbnails(page, cache.gallery())
        else:
            _start_over(page, "Back to the gallery")
    except CaptioningError as error:
        problem(error)


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
    with place, st.grid(6, min_column_width=130, vertical_alignment="bottom"):
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
            on_click=_choose,
            args=(page, name, part),
        )


def _offer_last(page: str) -> None:
    """Offer the photo that was captioned last on another page."""
    last = state.captioned()
    if last is not None:
        with st.container(gap="xsmall"):
            st.image(cache.preview(last.picture.data, last.picture.name)[0], alt="Your last photo")
            st.button(
                "Your last photo",
                type="tertiary",
                width="stretch",
                key=f"{page}.pick.last",
                on_click=_keep,
                args=(page, [last.picture]),
            )


def _choose(page: str, name: str, part: str) -> None:
    _keep(page, [])
    state.choose_photo(page, name, part)


def _start_over(page: str, label: str) -> None:
    st.button(
        label,
        icon=":material/arrow_back:",
        type="tertiary",
        key=f"{page}.back",
        on_click=_remove,
        args=(page,),
    )


def _remove(page: str) -> None:
    _keep(page, [])
    state.forget_captioned()


def _counter(page: str) -> str:
    return f"{page}.uploads"
