"""The data set that the Explore pages show, what is kept of it, and its photos in rows.

All pages of the section share the choice; the URL holds it as `explore.data`.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import streamlit as st

from captioning.analysis.caption_index import CaptionIndex, PhotoRanking, open_index
from captioning.analysis.search import Found
from captioning.analysis.similarity import Likeness
from captioning.bundle import Bundle
from captioning.datasets import SPLITS, CaptionDataset, Photo, generate_shapes
from captioning.datasets.catalog import available_datasets, folder_of, load_folder
from captioning.datasets.loading import kind_of
from captioning.errors import CaptioningError
from captioning.storage import data_folder
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.pictures import learned_shapes
from pages.ui.wording import plain

DATA = "explore.data"
DATA_PAGE = "pages/explore/data.py"
PHOTO_PAGE = "pages/explore/photo.py"
PER_PAGE = 24
ROWS = 10
SHAPES, SHAPES_KIND = "shapes-200-0", "shapes"
ALL = "all"


class Explored:
    """A data set and what was computed about it, shared by all sessions.

    Attributes:
        name: what the catalog calls it.
        dataset: the data set.
        likeness: how alike its photos are, once that was computed.
    """

    def __init__(self, name: str, dataset: CaptionDataset) -> None:
        """Take a data set that was read; nothing is computed yet."""
        self.name = name
        self.dataset = dataset
        self.likeness: Likeness | None = None

    @cached_property
    def generated(self) -> bool:
        """Whether the app drew the pictures and generated their sentences."""
        return kind_of(self.dataset.root) == SHAPES_KIND

    @property
    def authors(self) -> str:
        """Who wrote the captions: people, or the program that drew the pictures."""
        return "the generator" if self.generated else "people"

    @cached_property
    def index(self) -> CaptionIndex:
        """The captions, searchable."""
        return open_index(self.dataset)

    @cached_property
    def ranking(self) -> PhotoRanking:
        """The photos, to be found by a sentence."""
        return PhotoRanking(self.index)

    def photos(self, split: str | None) -> tuple[Photo, ...]:
        """The photos of a split, or all."""
        return self.dataset.split(split) if split else self.dataset.photos

    def first_photo(self) -> Photo:
        """The first photo to show: the first of the test split, if there is one."""
        return (self.dataset.split("test") or self.dataset.photos)[0]

    def link(self, **parameters: str) -> dict[str, str]:
        """Return the parameters of a link to another page that looks at the same data."""
        return {DATA: self.name, **{k.replace("__", "."): v for k, v in parameters.items()}}


def choose_data(*, here: bool = False) -> Explored:
    """Ask which data set to look at, and stop the page if it has a fault.

    Args:
        here: whether this is the page for getting data, so that no link to it is shown.
    """
    names = [data.name for data in available_datasets() if data.has_photos] or [SHAPES]
    name = names[0]
    if len(names) > 1:
        name = st.selectbox("Data set", names, key=DATA, bind="query-params", width=260)
    try:
        explored = _explored(name)
        if len(explored.dataset):
            if explored.generated and not here:
                _say_generated()
            return explored
        st.info(f"The data set {plain(name)} has no photos. Choose or get another.")
    except CaptioningError as error:
        problem(error)
    if not here:
        st.page_link(DATA_PAGE, label="Get data", icon=":material/download:")
    st.stop()


def explored_data(name: str | None) -> Explored | None:
    """Return a data set without asking; the first one by default, None if it cannot be read."""
    names = [data.name for data in available_datasets() if data.has_photos] or [SHAPES]
    try:
        return _explored(name if name in names else names[0])
    except CaptioningError:
        return None


def _say_generated() -> None:
    """Say that the pictures are drawn and the sentences generated, and offer real data."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/info: **Drawn shapes with generated sentences**, not photos that people "
            "described. Get Flickr8k to see real photos.",
            width="stretch",
        )
        st.page_link(DATA_PAGE, label="Get Flickr8k", icon=":material/download:")


def fitting_models(models: dict[str, Bundle], explored: Explored) -> dict[str, Bundle]:
    """Return the models, those first that learned from the same kind of pictures."""
    return dict(
        sorted(models.items(), key=lambda item: learned_shapes(item[1]) != explored.generated)
    )


def choose_split(
    page: str, explored: Explored, *, default: str = "test", everything: bool = True
) -> str | None:
    """Ask for a split that has photos; None stands for all photos.

    Args:
        page: for the key.
        explored: whose splits.
        default: the split that is chosen at first, if it exists.
        everything: whether all photos may be chosen.
    """
    splits = [split for split in SPLITS if explored.dataset.split(split)]
    options = [ALL, *splits] if everything or not splits else splits
    chosen = st.segmented_control(
        "Split",
        options,
        default=default if default in options else options[0],
        required=True,
        label_visibility="collapsed",
        key=f"{page}.split",
        bind="query-params",
    )
    return None if chosen == ALL else chosen


def forget_data() -> None:
    """Read all data sets again when they are needed next."""
    _explored.clear()
    cache.gallery.clear()


def describe(dataset: CaptionDataset) -> str:
    """Describe a data set in one line."""
    captions = sum(len(photo.captions) for photo in dataset.photos)
    return f"{plain(dataset.name)}: {len(dataset):,} photos, {captions:,} captions"


@st.cache_resource(max_entries=2, ttl=3600, show_spinner="Reading the data set…")
def _explored(name: str) -> Explored:
    if name == SHAPES and not (data_folder() / SHAPES).is_dir():
        return Explored(name, generate_shapes(data_folder() / SHAPES, count=200, seed=0))
    return Explored(name, load_folder(folder_of(name)))


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
