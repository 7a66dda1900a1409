"""Add photos to a page: from the disk, the camera, the data set, or the samples of the app.

The session keeps them: a widget forgets its photos when another page opens.  A choice made with a
button is part of the link, like the value of a widget (`bind="query-params"`).
"""

from dataclasses import dataclass

import streamlit as st

from captioning.datasets import CaptionDataset
from captioning.errors import CaptioningError
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.pictures import PHOTO_SAMPLES, Picture, sample_file
from pages.ui.wording import counted, plain

PHOTO, SAMPLE = "photo", "sample"  # names of the choice in the link
UPLOAD, CAMERA, GALLERY = SOURCES = ("Upload", "Camera", "Gallery")
MOST_AT_ONCE = 24
PHOTO_TYPES = ("image/*", ".heic", ".heif", ".hif", ".avif", ".mpo")
"""Files to offer for upload; some systems do not know that the named ones are pictures."""
_PER_PAGE = 12
_CAPTIONED = "photos.captioned"

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


@dataclass(frozen=True)
class Captioned:
    """The photo that was captioned last.

    Attributes:
        picture: the photo.
        name: what a link calls it; None for a visitor's photo.
        model: name of the model that wrote the caption.
    """

    picture: Picture
    name: str | None
    model: str


def brought_photos(page: str) -> list[Picture]:
    """Return the photos to caption: those that the link names, else those of the session."""
    try:
        sample, name = chosen_photo(page, SAMPLE), chosen_photo(page)
        if sample in PHOTO_SAMPLES:
            file = sample_file(sample)
            st.session_state[f"{page}.photos"] = [Picture(file.name, file.read_bytes())]
        elif name is not None:
            dataset = cache.gallery()
            photo = cache.photo_file(dataset.path(dataset[name]))
            st.session_state[f"{page}.photos"] = [Picture(name, photo)]
    except CaptioningError as error:
        problem(error)
        return []
    return list(st.session_state.get(f"{page}.photos", []))


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


def offer_samples(page: str, source: str) -> None:
    """Offer the sample photos until a photo is chosen; then offer to remove it."""
    if source != UPLOAD:
        return
    if kept := st.session_state.get(f"{page}.photos"):
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


def say_left_out(page: str) -> None:
    """Say how many of the uploaded photos were too many for this page."""
    left_out = st.session_state.get(f"{page}.left_out", 0)
    if left_out:
        st.caption(f"{counted(left_out, 'photo')} more than this page can show were left out.")


def _take(page: str) -> None:
    with st.container(width=640):
        st.camera_input("Take a photo", key=f"{page}.camera", on_change=_keep_shot, args=(page,))


def _keep_shot(page: str) -> None:
    shot = st.session_state[f"{page}.camera"]
    _keep(page, [Picture("your photo", shot.getvalue())] if shot else [])


def _keep(page: str, pictures: list[Picture]) -> None:
    st.session_state[f"{page}.photos"] = pictures
    st.session_state[f"{page}.left_out"] = 0
    for part in (SAMPLE, PHOTO):
        st.query_params.pop(f"{page}.{part}", None)


def _pick(page: str) -> None:
    try:
        if chosen_photo(page) is None:
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
    last = captioned()
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
    choose_photo(page, name, part)


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
    st.session_state.pop(_CAPTIONED, None)


def _counter(page: str) -> str:
    return f"{page}.uploads"


def chosen_photo(page: str, part: str = PHOTO) -> str | None:
    """Return the name of the photo chosen on `page`, if any.

    Args:
        page: the prefix of the keys of its controls.
        part: of the link: `PHOTO` for those of the data set, `SAMPLE` for those of the app.
    """
    return st.query_params.get(f"{page}.{part}")


def choose_photo(page: str, name: str, part: str = PHOTO) -> None:
    """Choose the photo `name` on `page`."""
    st.query_params[f"{page}.{part}"] = name


def remember_captioned(page: str, picture: Picture, model: str) -> None:
    """Remember the photo captioned last, and by which model; other pages offer it first."""
    name = chosen_photo(page, SAMPLE) or chosen_photo(page)
    last = captioned()
    if name is None and last is not None and last.picture == picture:
        name = last.name  # shown again without its link
    st.session_state[_CAPTIONED] = Captioned(picture, name, model)


def captioned() -> Captioned | None:
    """Return the photo that was captioned last in this session."""
    found: Captioned | None = st.session_state.get(_CAPTIONED)
    return found
