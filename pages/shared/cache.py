"""What the server keeps between reruns and shares between sessions; every cache is bounded.

Nothing here imports Keras before a photo is captioned: `captioner` does, on its first call.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from captioning import bundles
from captioning.bundles import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, generate_shapes, load
from captioning.errors import BundleError, CaptioningError, DatasetError, ImageError
from captioning.images import read_image
from captioning.paths import data_folder
from pages.shared import pictures

if TYPE_CHECKING:
    import numpy as np

    from captioning.captioner import Caption, Captioner
    from captioning.decoding import Trace

__all__ = [
    "caption",
    "captioner",
    "features",
    "gallery",
    "missing_model",
    "models",
    "photo_file",
    "preview",
    "thumbnail",
    "trace",
    "version",
]

_GALLERIES = ("flickr8k", "shapes-200-0")


@st.cache_resource(ttl=5, show_spinner=False)
def models() -> dict[str, Bundle]:
    """Return the models at hand by name, the one to use by default first.

    A model that a run leaves is seen within five seconds.
    """
    found = {bundle.name: bundle for bundle in bundles.find_bundles()}
    first = bundles.default_model() if found else ""
    return dict(sorted(found.items(), key=lambda item: item[0] != first))


def missing_model(name: str) -> CaptioningError | None:
    """Say what is wrong with a model that a link names and that is not among `models()`.

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
    """Return the model ready to write, loaded once for all sessions.

    Raises:
        CaptioningError: the bundle is damaged, or its encoder's weights are not to be had.
    """
    return _captioner(str(bundle.folder), version(bundle))


def caption(bundle: Bundle, photo: bytes, name: str, decoding: DecodingConfig) -> "Caption":
    """Return what the model says about a photo, writing it only once for equal settings.

    Raises:
        CaptioningError: the photo cannot be read, or the model cannot be loaded.
    """
    found, spent = trace(bundle, photo, name, decoding)
    return captioner(bundle).rank(found, decoding, seconds=spent)[0]


def features(bundle: Bundle, photo: bytes, name: str) -> "np.ndarray":
    """Return what the model's encoder sees in a photo, looking only once.

    Raises:
        CaptioningError: the photo cannot be read, or the model cannot be loaded.
    """
    return _features(captioner(bundle), str(bundle.folder), version(bundle), photo, name)[0]


def trace(
    bundle: Bundle, photo: bytes, name: str, decoding: DecodingConfig
) -> "tuple[Trace, float]":
    """Return a search for sentences about a photo, and what it took in seconds.

    The length penalty only ranks what was found, so another one finds the same search here.

    Raises:
        CaptioningError: the photo cannot be read, or the model cannot be loaded.
    """
    unranked = decoding.replace(length_penalty=0.0)
    model = captioner(bundle), str(bundle.folder), version(bundle)
    seen, spent = _features(*model, photo, name)
    found, more = _trace(*model, _Seen(photo, seen), unranked)
    return found, spent + more


@st.cache_data(max_entries=48, show_spinner=False)
def preview(photo: bytes, name: str) -> tuple[bytes, int]:
    """Return a copy of a photo for the screen, and how wide to show it.

    Raises:
        ImageError: it is no photo that can be read.
    """
    return pictures.preview(photo, name)


@st.cache_data(max_entries=512, show_spinner=False)
def thumbnail(path: Path) -> bytes:
    """Return a small copy of a data set's photo.

    Raises:
        ImageError: it is no photo that can be read.
    """
    return pictures.thumbnail(photo_file(path), path.name)


def photo_file(path: Path) -> bytes:
    """Return the bytes of a data set's photo.

    Raises:
        ImageError: the file has gone.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"The photo '{path.name}' cannot be opened ({error.strerror}).") from error


@st.cache_resource(ttl=600, show_spinner="Looking for photos…")
def gallery() -> CaptionDataset:
    """Return the data set to choose photos from: Flickr8k where it is, else generated shapes.

    Raises:
        DatasetError: there is neither, and shapes cannot be written.
    """
    folders = [data_folder() / name for name in _GALLERIES]
    for folder in folders:
        try:
            return load(folder)
        except DatasetError:
            continue
    return generate_shapes(folders[-1], count=200, seed=0)


@st.cache_resource(
    max_entries=4,
    show_spinner="Loading the model. The first time on this server takes some seconds…",
)
def _captioner(folder: str, version: int) -> "Captioner":
    # TensorFlow tells the terminal about every instruction set it might have been built for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from captioning.captioner import Captioner

    loaded = Captioner.load(folder)
    loaded.warm_up()
    return loaded


@dataclass(frozen=True)
class _Seen:
    """A photo, which says which one it is, and its features, which follow from it."""

    photo: bytes
    features: "np.ndarray"


@st.cache_data(max_entries=64, show_spinner="Looking at the photo…")
def _features(
    _captioner: "Captioner", folder: str, version: int, photo: bytes, _name: str
) -> "tuple[np.ndarray, float]":
    begun = time.perf_counter()
    found = _captioner.encode([read_image(photo, name=_name)])
    return found, time.perf_counter() - begun


@st.cache_data(
    max_entries=512,
    show_spinner="Writing a sentence…",
    hash_funcs={_Seen: lambda seen: seen.photo},
)
def _trace(
    _captioner: "Captioner", folder: str, version: int, seen: _Seen, decoding: DecodingConfig
) -> "tuple[Trace, float]":
    begun = time.perf_counter()
    found = _captioner.trace(seen.features, decoding)
    return found, time.perf_counter() - begun


def version(bundle: Bundle) -> int:
    """Return a number that changes when a bundle is written anew under its old name."""
    return os.stat(bundle.folder / "config.json").st_mtime_ns
