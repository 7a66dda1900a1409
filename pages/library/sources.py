"""The photos to search: those of a data set, or those that the visitor uploaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from captioning.analysis.caption_index import PhotoRanking, build_index
from captioning.batch import AlbumPhoto
from captioning.bundle import Bundle
from captioning.datasets import CaptionDataset, Photo
from captioning.datasets.data_issues import Oddities
from captioning.errors import CaptioningError, ImageError
from captioning.images import read_image
from captioning.retrieval import EncodedPhotos
from pages.library.workspace import bring_album
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.datasets import Explored, choose_split, photo_link
from pages.ui.pictures import as_jpeg
from pages.ui.progress import features_of, stoppable
from pages.ui.wording import plain

MOST = 200
"""Largest number of a visitor's photos in memory: about 40 MB of features."""
_BATCH = 8
_SIZE = (320, 240)


@dataclass(frozen=True, eq=False)
class Place:
    """A set of photos to search.

    Attributes:
        name: for the reader.
        photos: with the captions people wrote, if any.
        picture: returns a small copy of a photo, as JPEG.
        link: draws a link to a photo's own page; nothing for a visitor's photo.
        encode: returns the features by a model, None until the visitor agrees.
        explored: the data set, None for a visitor's photos.
        split: of the data set; None for all.
    """

    name: str
    photos: tuple[Photo, ...]
    picture: Callable[[Photo], bytes]
    link: Callable[[Photo], object]
    encode: Callable[[Bundle], EncodedPhotos | None]
    explored: Explored | None = None
    split: str | None = None


def photos_of(page: str, explored: Explored) -> Place:
    """Let the visitor choose a split of a data set."""
    split = choose_split(page, explored)
    photos = explored.photos(split)
    dataset = explored.dataset

    def encode(bundle: Bundle) -> EncodedPhotos | None:
        store = features_of(page, dataset, bundle, split=split)
        return None if store is None else EncodedPhotos.in_store(store, [p.name for p in photos])

    return Place(
        name=f"{dataset.name}, {split or 'all'} photos",
        photos=photos,
        picture=lambda photo: cache.thumbnail(dataset.path(photo)),
        link=lambda photo: photo_link(explored, photo, label="Open this photo"),
        encode=encode,
        explored=explored,
        split=split,
    )


def own_photos(page: str) -> Place:
    """Let the visitor upload photos; only this session holds them."""
    album = bring_album(page)
    if len(album) > MOST:
        st.caption(f"Only the first {MOST} of {len(album)} photos are searched here.")
    own = _own(page)
    own.keep(album[:MOST])
    return Place(
        name="your photos",
        photos=tuple(Photo(name, ()) for name in own.small),
        picture=lambda photo: own.small[photo.name],
        link=lambda photo: st.caption(plain(photo.name), width="content"),
        encode=partial(_encode_own, page, own),
    )


def ranking_of(name: str, photos: Sequence[Photo]) -> PhotoRanking:
    """Index photos by the words of their captions."""
    return PhotoRanking(
        build_index(CaptionDataset(name, Path(), tuple(photos), Path(), Oddities()))
    )


@dataclass
class _Own:
    """A session's own photos: the files, small copies, and features by model."""

    files: dict[str, AlbumPhoto] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)
    seen: dict[tuple[str, int], dict[str, np.ndarray]] = field(default_factory=dict)

    def keep(self, album: Sequence[AlbumPhoto]) -> None:
        """Drop photos that were removed, and read those that are new."""
        names = {photo.name for photo in album}
        everything: list[dict[str, Any]] = [self.files, self.small, *self.seen.values()]
        for kept in everything:
            for name in kept.keys() - names:
                del kept[name]
        for photo in album:
            if photo.name not in self.files:
                self.files[photo.name] = photo
                try:
                    read = read_image(photo.read(), name=photo.name)
                    read.thumbnail(_SIZE)
                    self.small[photo.name] = as_jpeg(read)
                except ImageError as error:
                    problem(error)


def _own(page: str) -> _Own:
    return st.session_state.setdefault(f"{page}.own", _Own())  # type: ignore[no-any-return]


def _encode_own(page: str, own: _Own, bundle: Bundle) -> EncodedPhotos:
    captioner = cache.captioner(bundle)
    # Features of other models are dropped: those of one model take up to 40 MB.
    key = (str(bundle.folder), cache.version(bundle))
    own.seen = {key: own.seen.get(key, {})}
    seen, names = own.seen[key], list(own.small)
    left = [name for name in names if name not in seen]
    place = st.empty()
    if left:
        with place.container(), stoppable(page, "Looking at your photos") as tell:
            for start in range(0, len(left), _BATCH):
                some = left[start : start + _BATCH]
                features = captioner.encode([_read(own.files[name]) for name in some])
                seen.update(zip(some, features.astype(np.float16), strict=True))
                tell(start + len(some), len(left))
        place.empty()
    rows = np.stack([seen[name] for name in names]) if names else np.zeros((0, 1))
    return EncodedPhotos.in_memory(names, rows)


def _read(photo: AlbumPhoto) -> Image.Image:
    try:
        return read_image(photo.read(), name=photo.name)
    except CaptioningError:  # it could be read when it came
        return Image.new("RGB", _SIZE)
