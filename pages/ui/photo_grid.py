"""Photos in rows: thumbnails that link to the page of their photo."""

from collections.abc import Callable, Sequence

import streamlit as st

from captioning.analysis.search import Found
from captioning.datasets import Photo
from captioning.errors import CaptioningError
from pages.ui import cache
from pages.ui.datasets import Explored
from pages.ui.wording import plain

PHOTO_PAGE = "pages/explore/photo.py"
PER_PAGE = 24
ROWS = 10


def photo_grid(
    key: str,
    explored: Explored,
    photos: Sequence[Photo],
    *,
    per_page: int = PER_PAGE,
    note: Callable[[int], str] | None = None,
) -> None:
    """Show photos in pages, each with a link to its own page.

    Args:
        key: of the page number, also in the URL.
        explored: whose photos.
        photos: in the order to show.
        per_page: how many at a time.
        note: returns the text, in Markdown, below the photo at a place in `photos`.
    """
    place = st.container()
    first = _page_of(key, len(photos), per_page)
    # Narrow enough for six columns on a laptop: 6, 4, 3 and 2 leave no hole in a page of 24.
    with place, st.grid(6, min_column_width=130):
        for number, photo in enumerate(photos[first : first + per_page], start=first):
            with st.container(gap="xsmall"):
                thumbnail(explored, photo)
                st.caption(plain(_name_of(photo)))
                if note is not None:
                    st.caption(note(number))
                photo_link(explored, photo)


def caption_rows(key: str, explored: Explored, found: Found) -> None:
    """Show the photos a search found, each with the captions that matched, the words marked."""
    place = st.container()
    first = _page_of(key, len(found.photos), ROWS)
    with place:
        for number, photo in enumerate(found.photos[first : first + ROWS], start=first):
            left, right = st.columns([1, 4], vertical_alignment="center")
            with left:
                thumbnail(explored, photo)
            with right:
                for caption in found.captions_of(number):
                    raw = explored.index.captions[caption]
                    st.markdown(highlighted(raw, found.spans(int(caption))))
                photo_link(explored, photo, label="Open this photo")


def highlighted(raw: str, spans: Sequence[tuple[int, int]]) -> str:
    r"""Write a raw caption as Markdown with the characters of `spans` marked.

    >>> highlighted("a *dog* runs", [(2, 7)])
    'a :primary-background[\\*dog\\*] runs'
    """
    parts, end = [], 0
    for start, stop in spans:
        parts += [plain(raw[end:start]), f":primary-background[{plain(raw[start:stop])}]"]
        end = stop
    return "".join([*parts, plain(raw[end:])])


def thumbnail(explored: Explored, photo: Photo) -> None:
    """Show a small copy of a photo, or the error if it cannot be read."""
    try:
        copy = cache.thumbnail(explored.dataset.path(photo))
        st.image(copy, width="stretch", alt=_name_of(photo))
    except CaptioningError as error:
        st.caption(f":material/broken_image: {plain(str(error))}")


def photo_link(explored: Explored, photo: Photo, label: str = "Open this photo") -> None:
    """Offer a link to a photo's own page."""
    st.page_link(
        PHOTO_PAGE, label=plain(label), icon="", help="", query_params=photo_page(explored, photo)
    )


def _name_of(photo: Photo) -> str:
    """Return the whole first caption of a photo, or its file's name where it has none."""
    return photo.captions[0] if photo.captions else photo.name


def photo_page(explored: Explored, photo: Photo) -> dict[str, str]:
    """Return the parameters of a link to a photo."""
    return explored.link(photo__photo=photo.name)


def _page_of(key: str, count: int, per_page: int) -> int:
    """Ask for a page and return the index of its first photo; one page needs no question."""
    pages = -(-count // per_page)
    if pages <= 1:
        return 0
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = 1  # another search or split has fewer pages
    number: int = st.pagination(pages, key=key, bind="query-params")
    return (number - 1) * per_page
