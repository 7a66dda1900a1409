"""What the encoder lesson asks of the encoder, each thing once a photo."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from captioning.datasets import CaptionDataset
from pages.learn.subject import Subject
from pages.ui import cache
from pages.ui.pictures import as_jpeg

if TYPE_CHECKING:
    from captioning.lessons.convolution import Pair
    from captioning.lessons.encoder import MapSpec, OpenedEncoder, Peaks
    from captioning.lessons.receptive_field import Field

__all__ = ["Opened", "liveliest", "open_up", "peaks", "spotlit"]

_PHOTOS = 12


@dataclass(frozen=True)
class Opened:
    """An encoder opened on one photo.

    Attributes:
        encoder: its layers.
        pixels: the photo as the encoder reads it, uint8 `(S, S, 3)`.
        scaled: after preprocessing, float32 `(S, S, 3)`.
        read: what the first convolution reads, with the padding that is a layer of its own.
        first: what the first convolution gives, float32 `(H, W, C)`.
        maps: one a size the photo shrinks to.
        values: what these maps and the separable convolution give, by layer.
        fields: receptive fields by layer.
        pair: a separable convolution, if there is one.
    """

    encoder: "OpenedEncoder"
    pixels: np.ndarray
    scaled: np.ndarray
    read: np.ndarray
    first: np.ndarray
    maps: "list[MapSpec]"
    values: dict[str, np.ndarray]
    fields: "dict[str, Field]"
    pair: "Pair | None"


def open_up(subject: Subject) -> Opened:
    """Return the encoder opened on the photo at hand."""
    return _open(subject.key, subject)


def liveliest(subject: Subject, layer: str, values: np.ndarray, top: int) -> list[int]:
    """Return the channels that differ most over the photo, the first most.

    Args:
        subject: photo and model.
        layer: what gave the values; with the photo and the model it stands for them.
        values: `(..., C)`, or `(C,)`.
        top: how many.
    """
    return _liveliest(subject.key, layer, top, values)


def spotlit(subject: Subject, channel: int, values: np.ndarray) -> bytes:
    """Return the photo, bright where a channel of its regions is large."""
    return _spotlit(subject.key, channel, values, subject)


def peaks(subject: Subject, dataset: CaptionDataset) -> "Peaks":
    """Return how strongly each channel answers to a few photos of the data set."""
    photos = (dataset.split("test") or dataset.photos)[:_PHOTOS]
    names = tuple(photo.name for photo in photos)
    version = cache.version(subject.bundle)
    return _peaks(subject.bundle.name, version, dataset.name, names, subject, dataset)


@st.cache_resource(max_entries=4, show_spinner="Opening the encoder…")
def _open(key: tuple[str, int, str], _subject: Subject) -> Opened:
    from captioning.lessons.convolution import find_pair
    from captioning.lessons.encoder import OpenedEncoder, inputs_of
    from captioning.lessons.receptive_field import fields

    encoder = _subject.captioner.keras_encoder
    opened = OpenedEncoder(encoder)
    pixels = encoder.pixels(_subject.photo)
    convolution, maps, pair = opened.first_convolution, opened.maps, find_pair(opened)
    reads = inputs_of(convolution, opened.layers)[0].name
    wanted = [reads, convolution.name, *(spec.name for spec in maps), *(pair.names if pair else [])]
    values = opened.outputs(pixels, list(dict.fromkeys(wanted)))
    return Opened(
        encoder=opened,
        pixels=pixels,
        scaled=opened.scaled(pixels),
        read=values[reads],
        first=values[convolution.name],
        maps=maps,
        values=values,
        fields=fields(opened),
        pair=pair,
    )


@st.cache_data(max_entries=256, show_spinner=False)
def _liveliest(key: tuple[str, int, str], layer: str, top: int, _values: np.ndarray) -> list[int]:
    from captioning.lessons.encoder import strongest_channels

    return strongest_channels(_values.reshape(-1, _values.shape[-1]).squeeze(), top=top)


@st.cache_data(max_entries=128, show_spinner=False)
def _spotlit(
    key: tuple[str, int, str], channel: int, _values: np.ndarray, _subject: Subject
) -> bytes:
    from captioning import explain

    photo = _subject.photo
    photo.thumbnail((640, 640))
    return as_jpeg(explain.spotlight(photo, _values))


@st.cache_data(max_entries=8, show_spinner="Looking at photos of the data set…")
def _peaks(
    model: str,
    version: int,
    data: str,
    names: tuple[str, ...],
    _subject: Subject,
    _dataset: CaptionDataset,
) -> "Peaks":
    from captioning.lessons.encoder import peaks_of

    return peaks_of(_subject.captioner, _dataset, names)
