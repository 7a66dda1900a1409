"""The photo and the model: one choice for all lessons, cached, and kept in the session.

They are in the URL as `learn.model` and `learn.photo`.  An uploaded photo cannot be part of a link;
the session remembers it.
"""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from captioning.bundle import Bundle
from captioning.datasets import CaptionDataset
from captioning.errors import CaptioningError
from captioning.images import read_image
from captioning.vocabulary import Vocabulary
from pages.learn.lessons import (
    HIDE,
    PROJECTOR,
    STEP,
    forget,
    in_projector,
    recall,
    remember,
    remembered,
)
from pages.ui import cache
from pages.ui.components import problem, prose
from pages.ui.datasets import DATA, Explored, explored_data
from pages.ui.photos import PHOTO_TYPES, captioned
from pages.ui.pictures import PHOTO_SAMPLES, SAMPLES, Picture, best_sample, sample
from pages.ui.wording import plain

if TYPE_CHECKING:
    import numpy as np

    from captioning.caption import Caption
    from captioning.captioner import Captioner
    from captioning.decoding import Reading

MODEL, PHOTO, UPLOAD = "learn.model", "learn.photo", "learn.upload"
OWN = "your photo"
_FIRST, _TAKEN = "learn.first_model", "learn.taken"
_OFFERED = 24


@dataclass(frozen=True)
class Subject:
    """A photo and a model; everything about them is computed once and kept.

    This object keeps it for one run of the page; the caches behind it keep it for all sessions.

    Attributes:
        bundle: the model on disk.
        picture: the photo's file.
        name: of the photo as a link names it; `OWN` for an uploaded one.
    """

    bundle: Bundle
    picture: Picture
    name: str

    @cached_property
    def key(self) -> tuple[str, int, str]:
        """Identifies this photo and model; a key for caches and guesses."""
        digest = hashlib.sha256(self.picture.data).hexdigest()[:12]
        return self.bundle.name, cache.version(self.bundle), digest

    @cached_property
    def captioner(self) -> "Captioner":
        """The model, loaded."""
        return cache.captioner(self.bundle)

    @cached_property
    def features(self) -> "np.ndarray":
        """What the encoder sees in the photo, float32 `(1, R, D)` or `(1, D)`."""
        return cache.features(self.bundle, self.picture.data, self.picture.name)

    @cached_property
    def caption(self) -> "Caption":
        """What the model writes, decoded as its bundle says."""
        bundle = self.bundle
        return cache.caption(bundle, self.picture.data, self.picture.name, bundle.decoding)

    @cached_property
    def reading(self) -> "Reading":
        """The caption, read word by word: every word's probability, and the attention."""
        return _reading(self, self.caption.text)

    @cached_property
    def words(self) -> list[str]:
        """The words of the caption."""
        return [word.word for word in self.caption.words]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The model's words."""
        return self.bundle.vocabulary

    @cached_property
    def photo(self) -> Image.Image:
        """The photo, upright, RGB."""
        return read_image(self.picture.data, name=self.picture.name)

    @cached_property
    def references(self) -> tuple[str, ...]:
        """What people wrote about the photo, if it is one of the current data set."""
        if self.name in SAMPLES or self.name == OWN:
            return ()
        dataset = _dataset()
        found = dataset[self.name] if dataset and self.name in dataset else None
        return tuple(found.captions) if found else ()

    @cached_property
    def authors(self) -> str:
        """Who wrote the references: people, or the program that drew the picture."""
        if self.name in SAMPLES or self.name == OWN:
            return "people" if self.name in (*PHOTO_SAMPLES, OWN) else "the generator"
        data = lesson_data()
        return data.authors if data else "people"


# `hash_funcs` of caches: results that belong to a photo and a model, or to a model alone.
BY_SUBJECT: dict[str | type, Callable[[Subject], Hashable]] = {Subject: lambda one: one.key}
BY_MODEL: dict[str | type, Callable[[Subject], Hashable]] = {Subject: lambda one: one.key[:2]}


def choose_subject(*, hidden: bool = False) -> Subject:
    """Ask for photo and model, and stop the page if there is none that works.

    Args:
        hidden: show no control; use what the link says or the session remembers.
    """
    models = cache.models()
    if not models:
        prose("no-model")
        st.stop()
    if name := st.query_params.get(DATA):
        remember(DATA, name)
    _take_captioned()
    if hidden:
        bundle = _working(models, st.query_params.get(MODEL) or remembered(MODEL))
        name = st.query_params.get(PHOTO) or remembered(PHOTO)
    else:
        bundle = _choose_model(models)
        name = _choose_photo(bundle)
        _take_upload()
    try:
        name, picture = _picture(name, bundle)
        cache.preview(picture.data, picture.name)
    except CaptioningError as error:
        problem(error)
        st.stop()
    remember(MODEL, bundle.name)
    remember(PHOTO, name)
    return Subject(bundle, picture, name)


def _take_captioned() -> None:
    """Begin with the photo that was captioned last, and its model, unless the link names others."""
    found = captioned()
    if found is None or found == st.session_state.get(_TAKEN):
        return
    st.session_state[_TAKEN] = found
    if found.name is None:
        st.session_state[UPLOAD] = found.picture
    for key, value in ((PHOTO, found.name or OWN), (MODEL, found.model)):
        if st.query_params.get(key) is None and (key == PHOTO or value in cache.models()):
            remember(key, value)
            st.session_state[key] = value


def _choose_model(models: dict[str, Bundle]) -> Bundle:
    asked = st.query_params.get(MODEL)
    if asked and asked not in models and (error := cache.missing_model(asked)):
        problem(error)
    first = _usual(models)
    names = [first, *(name for name in models if name != first)]
    recall(MODEL, names)
    name = st.selectbox(
        "Model",
        names,
        key=MODEL,
        bind="query-params",
        on_change=_forget_sample,
        width=260,
    )
    return _working(models, name)


def _usual(models: dict[str, Bundle]) -> str:
    """Return the model offered first; it is not loaded if a link names another one."""
    first: str | None = st.session_state.get(_FIRST)
    if first not in models:
        named = st.query_params.get(MODEL) in models
        first = next(iter(models)) if named else _working(models, None).name
        st.session_state[_FIRST] = first
    return str(first)


def _working(models: dict[str, Bundle], asked: str | None) -> Bundle:
    """Return the model asked for, else the first one that can be loaded; say why if it cannot."""
    wanted = models.get(asked or "")
    if wanted is not None:
        fault = cache.fault(wanted)
        if fault is None:
            return wanted
        problem(CaptioningError(fault))
    for bundle in models.values():
        if bundle is not wanted and cache.fault(bundle) is None:
            if wanted is not None:
                st.caption(f"This lesson uses the model **{plain(bundle.name)}** instead.")
            return bundle
    problem(CaptioningError(cache.fault(next(iter(models.values()))) or ""))
    st.stop()


def _choose_photo(bundle: Bundle) -> str:
    usual = best_sample(bundle)
    names = [OWN] if UPLOAD in st.session_state else []
    names += [usual, *(name for name in SAMPLES if name != usual)]
    dataset = _dataset()
    if dataset:
        names += [photo.name for photo in dataset.split("test")[:_OFFERED]]
        for asked in (st.query_params.get(PHOTO), remembered(PHOTO)):
            if asked and asked in dataset and asked not in names:
                names.append(asked)
    recall(PHOTO, names)
    chosen: str = st.selectbox("Photo", names, key=PHOTO, bind="query-params", width=260)
    return chosen


def _take_upload() -> None:
    with st.popover("Your own photo", icon=":material/add_photo_alternate:"):
        st.file_uploader(
            "A photo from this device",
            type=PHOTO_TYPES,
            key="learn.file",
            on_change=_keep_upload,
            help="It stays in this server's memory until you leave.",
        )


def _keep_upload() -> None:
    file = st.session_state["learn.file"]
    if file is not None:
        st.session_state[UPLOAD] = Picture(file.name, file.getvalue())
        st.session_state[PHOTO] = OWN


def _forget_sample() -> None:
    """Let another model start with the photo that suits it."""
    if st.session_state.get(PHOTO) in SAMPLES:
        forget(PHOTO)


def _picture(name: str | None, bundle: Bundle) -> tuple[str, Picture]:
    if name == OWN and UPLOAD in st.session_state:
        return OWN, st.session_state[UPLOAD]
    if name in SAMPLES:
        return str(name), sample(str(name))
    dataset = _dataset()
    if name and dataset and name in dataset:
        return name, Picture(name, cache.photo_file(dataset.path(dataset[name])))
    usual = best_sample(bundle)
    return usual, sample(usual)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=BY_SUBJECT)  # 0.15 MB each
def _reading(subject: Subject, sentence: str) -> "Reading":
    return subject.captioner.read(subject.features, sentence)


def lesson_data() -> Explored | None:
    """Return the data set whose photos the lessons offer, None if it cannot be read.

    It is the one that a link from Explore named, otherwise the first one there.
    """
    return explored_data(remembered(DATA))


def look_at(name: str) -> None:
    """Continue with another photo of the data set; for the callback of a button."""
    remember(PHOTO, name)
    st.session_state[PHOTO] = name


def link_parameters(
    subject: Subject, *, step: int | None = None, hide: bool = False
) -> dict[str, str]:
    """Return the parameters of a link that opens a lesson in its present state.

    Args:
        subject: photo and model; an uploaded photo cannot be named and is left out.
        step: the place in the caption, from 1, if the lesson has such a choice.
        hide: leave out the choice of photo and model.
    """
    found = {MODEL: subject.bundle.name}
    if subject.name != OWN:
        found[PHOTO] = subject.name
    if data := remembered(DATA):
        found[DATA] = data
    if step is not None:
        found[STEP] = str(step)
    if hide:
        found[HIDE] = "controls"
    if in_projector():
        found[PROJECTOR] = "true"
    return found


def _dataset() -> CaptionDataset | None:
    data = lesson_data()
    return None if data is None else data.dataset
