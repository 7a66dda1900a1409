"""What the server keeps between reruns and shares between sessions; every cache is bounded.

Only `captioner` imports Keras, and only for a model whose encoder has no graph.
"""

import contextlib
import hashlib
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import streamlit as st

from captioning import bundle as bundles
from captioning.bundle import Bundle
from captioning.calibration.picture_kind import Kind, kind_of
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, available_datasets, generate_shapes, load_folder
from captioning.errors import (
    BundleError,
    CaptioningError,
    DatasetError,
    ImageError,
    WeightsError,
)
from captioning.fair_lock import FairLock
from captioning.images import MAX_BYTES, read_image
from captioning.plugins import load_plugins
from captioning.storage import data_folder, read_regular_file
from pages.ui import pictures
from pages.ui.memory import settle

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from captioning.caption import Caption
    from captioning.captioner import Captioner
    from captioning.decoding import Trace

Result = TypeVar("Result")
Value = TypeVar("Value")

load_plugins()  # their encoders, decoders and metrics are choices of the pages

_SHAPES = "shapes-200-0"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_MOST_PIXELS_KEPT = 16_000_000
"""The largest photo kept until it is captioned (48 MB); a larger one is decoded twice."""


@st.cache_resource(ttl=5, show_spinner=False)
def models() -> dict[str, Bundle]:
    """Return the available models by name: the default first, those that lack weights last.

    A new model of a run appears within five seconds.
    """
    found = {bundle.name: bundle for bundle in bundles.find_bundles()}
    first = bundles.default_model() if found else ""
    return dict(sorted(found.items(), key=lambda item: (item[0] != first, not item[1].has_weights)))


def missing_model(name: str) -> CaptioningError | None:
    """Return what is wrong with a model that a link names and `models()` lacks.

    A link names a model and never a folder, so nothing outside the folders of models is read.
    """
    if Path(name).name != name:
        return BundleError(f"A link names a model by its name, not as {name!r}.")
    try:
        bundles.read_bundle(name)
    except CaptioningError as error:
        return error
    return None


def captioner(bundle: Bundle) -> "Captioner":
    """Return the loaded model, one for all sessions.

    Raises:
        CaptioningError: the bundle is damaged, or its encoder's weights are not available.
    """
    return _captioner(str(bundle.folder), version(bundle))


def fault(bundle: Bundle) -> str | None:
    """Return why a model cannot be loaded, tried again after five minutes; None if it can be."""
    return _fault(str(bundle.folder), version(bundle), bundle)


def writer(bundle: Bundle) -> "Captioner":
    """Return the model, without its encoder if the encoder's weights are not available.

    That is enough for photos whose features are stored.

    Raises:
        CaptioningError: the bundle is damaged.
    """
    try:
        return captioner(bundle)
    except WeightsError:
        return _writer(str(bundle.folder), version(bundle))


def caption(bundle: Bundle, photo: bytes, name: str, decoding: DecodingConfig) -> "Caption":
    """Return the model's caption of a photo, computed once for equal settings.

    Raises:
        CaptioningError: the photo cannot be read, or the model cannot be loaded.
    """
    key = (*_key(bundle, photo), decoding)
    known = _captions().get(key)
    if known is None:
        found, spent = trace(bundle, photo, name, decoding)
        model = captioner(bundle)
        best, *_ = model.with_neutral_words(
            model.rank(found, decoding, seconds=spent), features(bundle, photo, name)
        )
        known = replace(best, model=bundle.name)  # a run's model lies in a folder called "bundle"
        _captions().put(key, known)
    return known


def features(bundle: Bundle, photo: bytes, name: str) -> "np.ndarray":
    """Return the encoder's features of a photo, computed once.

    Raises:
        CaptioningError: the photo cannot be read, or the model cannot be loaded.
    """
    return _features(bundle, photo, name)[0]


def trace(
    bundle: Bundle, photo: bytes, name: str, decoding: DecodingConfig
) -> "tuple[Trace, float]":
    """Return the search for a caption of a photo, and its duration in seconds.

    The length penalty only ranks the sentences, and the certainties only change words in them, so
    all values of these settings share one search.

    Raises:
        CaptioningError: the photo cannot be read, or the model cannot be loaded.
    """
    unranked = decoding.replace(length_penalty=0.0, gender_certainty=0.0, detail_certainty=0.0)
    key = (*_key(bundle, photo), unranked)
    known = _traces().get(key)
    if known is None:
        model = captioner(bundle)
        with in_line(model.turns, "Writing a sentence…"):
            # The visitor before may have asked for the same.
            known = _traces().get(key) or _search(bundle, photo, name, unranked)
            _traces().put(key, known)
    return known


@st.cache_data(max_entries=48, show_spinner=False)
def preview(photo: bytes, name: str) -> tuple[bytes, int]:
    """Return a copy of a photo for the screen, and how wide to show it.

    Raises:
        ImageError: it is not a readable photo.
    """
    picture = read_image(photo, name=name)
    if math.prod(picture.size) <= _MOST_PIXELS_KEPT:
        _decoded().put(_digest(photo), picture)
    return pictures.preview(picture)


def kind(bundle: Bundle, photo: bytes, name: str) -> Kind | None:
    """Return what kind of picture this is; None for a model that did not learn from photos.

    Raises:
        ImageError: it is not a readable photo.
    """
    return _kind(photo, name) if bundle.learned_from_photos else None


@st.cache_data(max_entries=512, show_spinner=False)
def _kind(photo: bytes, name: str) -> Kind:
    return kind_of(read_image(preview(photo, name)[0]))


@st.cache_data(max_entries=512, show_spinner=False)
def thumbnail(path: Path) -> bytes:
    """Return a small copy of a data set's photo.

    Raises:
        ImageError: it is not a readable photo.
    """
    return pictures.thumbnail(photo_file(path), path.name)


def photo_file(path: Path) -> bytes:
    """Return the bytes of a data set's photo.

    Raises:
        ImageError: the file is missing, too large, or not a regular file.
    """
    try:
        return read_regular_file(path, MAX_BYTES)
    except OSError as error:
        raise ImageError(f"The photo '{path.name}' cannot be opened ({error.strerror}).") from error


@st.cache_resource(ttl=600, show_spinner="Looking for photos…")
def gallery() -> CaptionDataset:
    """Return the data set to choose photos from: Flickr8k if available, else generated shapes.

    A folder outside the data folder counts if it was named once.

    Raises:
        DatasetError: there is no data set, and shapes cannot be written.
    """
    places = {dataset.name: dataset.folder for dataset in available_datasets()}
    for name in ("flickr8k", _SHAPES):
        try:
            return load_folder(places[name])
        except (KeyError, DatasetError):
            continue
    return generate_shapes(data_folder() / _SHAPES, count=200, seed=0)


@st.cache_resource(
    max_entries=4,
    show_spinner="Loading the model…",
)
def _captioner(folder: str, version: int) -> "Captioner":
    return _load(folder)


@st.cache_data(ttl=300, max_entries=32, show_spinner=False)
def _fault(folder: str, version: int, _bundle: Bundle) -> str | None:
    try:
        captioner(_bundle)
    except CaptioningError as error:
        return str(error)
    return None


@st.cache_resource(max_entries=2, show_spinner="Loading the model…")
def _writer(folder: str, version: int) -> "Captioner":
    return _load(folder, with_encoder=False)


def _load(folder: str, **options: bool) -> "Captioner":
    # Some encoders need TensorFlow, which logs every instruction set it was not built for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from captioning.captioner import Captioner

    loaded = Captioner.load(folder, **options)
    settle()
    return loaded


def _features(bundle: Bundle, photo: bytes, name: str) -> "tuple[np.ndarray, float]":
    """Return the features of a photo, and the encoding time in seconds."""
    key = _key(bundle, photo)
    known = _seen().get(key)
    if known is None:
        model = captioner(bundle)
        picture = _decoded().pop(_digest(photo)) or read_image(photo, name=name)
        with in_line(model.turns, "Looking at the photo…"):
            known = _seen().get(key) or timed(lambda: model.encode([picture]))
            known[0].flags.writeable = False  # all sessions read the same array
            _seen().put(key, known)
    return known


def _search(
    bundle: Bundle, photo: bytes, name: str, decoding: DecodingConfig
) -> "tuple[Trace, float]":
    seen, looked = _features(bundle, photo, name)
    found, searched = timed(lambda: captioner(bundle).trace(seen, decoding))
    return found, looked + searched


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Do `work`; return its result, and the seconds it took."""
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


# Results of models are kept in `Memory`: a function cached by Streamlit cannot write to the page,
# and a visitor who waits for the model should see their place in the queue.
class Memory(Generic[Value]):
    """The results used last, up to a limit; threads may share it.  A result is never None."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return a result, or None if it is not stored."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def pop(self, key: Hashable) -> Value | None:
        """Return a result and forget it, or None if it is not stored."""
        with self._lock:
            return self._kept.pop(key, None)

    def put(self, key: Hashable, value: Value) -> None:
        """Store a result, and drop the least recently used one if there are too many."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


@contextlib.contextmanager
def in_line(turns: FairLock, label: str) -> Iterator[None]:
    """Wait in the model's queue, show the visitor their place, and hold the model for the block.

    Args:
        turns: the model's queue.
        label: what is done when it is the visitor's turn.
    """
    place = st.empty()

    def show(before: int) -> None:
        place.caption(f":material/hourglass_top: {place_in_line(before)}")

    with st.spinner(label), turns.take(show):
        place.empty()
        yield


def place_in_line(before: int) -> str:
    """Say which place somebody has in the queue.

    >>> place_in_line(2)
    'You are third in line. The model writes for one visitor at a time.'
    """
    ordinal = _ORDINALS[before] if before < len(_ORDINALS) else f"number {before + 1}"
    return f"You are {ordinal} in line. The model writes for one visitor at a time."


@st.cache_resource(max_entries=1, show_spinner=False)
def _decoded() -> "Memory[Image.Image]":
    # From the preview until the encoder reads it, so that a photo is decoded once.
    return Memory(1)


@st.cache_resource(max_entries=1, show_spinner=False)
def _seen() -> "Memory[tuple[np.ndarray, float]]":
    return Memory(64)


@st.cache_resource(max_entries=1, show_spinner=False)
def _traces() -> "Memory[tuple[Trace, float]]":
    return Memory(512)


@st.cache_resource(max_entries=1, show_spinner=False)
def _captions() -> "Memory[Caption]":
    return Memory(512)


def _key(bundle: Bundle, photo: bytes) -> tuple[str, int, str]:
    return str(bundle.folder), version(bundle), _digest(photo)


def _digest(photo: bytes) -> str:
    return hashlib.sha256(photo).hexdigest()


def version(bundle: Bundle) -> int:
    """Return a number that changes when a bundle is replaced under the same name."""
    return os.stat(bundle.folder / "config.json").st_mtime_ns
