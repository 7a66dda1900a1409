"""The encoder opened on the photo, computed once, and the questions that it answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from captioning.datasets import CaptionDataset
from pages.learn.frame import Paper, Question
from pages.learn.inspector import opened_encoder
from pages.learn.subject import BY_MODEL, BY_SUBJECT, Subject

if TYPE_CHECKING:
    from captioning.lessons.convolution import Pair
    from captioning.lessons.encoder import MapSpec, OpenedEncoder, Peaks
    from captioning.lessons.receptive_field import Field

_PHOTOS = 12


@dataclass(frozen=True)
class Opened:
    """An encoder opened on one photo.

    Attributes:
        encoder: its layers.
        pixels: the photo as the encoder reads it, uint8 `(S, S, 3)`.
        scaled: after preprocessing, float32 `(S, S, 3)`.
        read: what the first convolution reads, after the padding, which is a separate layer.
        first: what the first convolution gives, float32 `(H, W, C)`.
        maps: one for each size to which the photo shrinks.
        values: what these maps (float16) and the separable convolution (float32) give, by layer.
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


@st.cache_resource(  # 13 MB
    max_entries=1, show_spinner="Opening the encoder…", hash_funcs=BY_SUBJECT
)
def open_up(subject: Subject) -> Opened:
    """Return the encoder opened on the photo of the lesson."""
    from captioning.lessons.convolution import find_pair
    from captioning.lessons.encoder import inputs_of
    from captioning.lessons.receptive_field import fields

    opened = opened_encoder(subject)
    pixels = opened.encoder.pixels(subject.photo)
    convolution, maps, pair = opened.first_convolution, opened.maps, find_pair(opened)
    reads = inputs_of(convolution, opened.layers)[0].name
    exact = [reads, convolution.name, *(pair.names if pair else [])]
    values = opened.outputs(pixels, list(dict.fromkeys([*exact, *(spec.name for spec in maps)])))
    for name in values.keys() - set(exact):  # these are drawn, not computed with
        values[name] = values[name].astype(np.float16)
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


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_SUBJECT)
def most_varied(subject: Subject, layer: str, _values: np.ndarray, top: int) -> list[int]:
    """Return the channels that differ most over the photo, in that order.

    Args:
        subject: photo and model.
        layer: the layer that gave the values.
        _values: `(..., C)`, or `(C,)`.
        top: how many.
    """
    from captioning.lessons.encoder import strongest_channels

    return strongest_channels(_values.reshape(-1, _values.shape[-1]).squeeze(), top=top)


def peaks(subject: Subject, dataset: CaptionDataset) -> "Peaks":
    """Return how strongly each channel responds to a few photos of the data set."""
    photos = (dataset.split("test") or dataset.photos)[:_PHOTOS]
    names = tuple(photo.name for photo in photos)
    return _peaks(subject, dataset.name, names, dataset)


@st.cache_data(max_entries=8, show_spinner="Encoding photos of the data set…", hash_funcs=BY_MODEL)
def _peaks(
    subject: Subject, data: str, names: tuple[str, ...], _dataset: CaptionDataset
) -> "Peaks":
    from captioning.lessons.encoder import peaks_of

    return peaks_of(subject.captioner, _dataset, names)


PAPERS = [
    Paper(
        "Gradient-Based Learning Applied to Document Recognition",
        "LeCun, Bottou, Bengio and Haffner",
        1998,
        "https://doi.org/10.1109/5.726791",
    ),
    Paper(
        "Xception: Deep Learning with Depthwise Separable Convolutions",
        "Chollet",
        2017,
        "https://arxiv.org/abs/1610.02357",
    ),
    Paper(
        "Visualizing and Understanding Convolutional Networks",
        "Zeiler and Fergus",
        2014,
        "https://arxiv.org/abs/1311.2901",
    ),
    Paper(
        "Understanding the Effective Receptive Field in Deep CNNs",
        "Luo, Li, Urtasun and Zemel",
        2016,
        "https://arxiv.org/abs/1701.04128",
    ),
]


def questions(opened: Opened) -> list[Question]:
    """Return the questions about an opened encoder and the photo in it."""
    return [
        Question(
            "Which map holds the most numbers, and how many times more than the photo?",
            lambda: _largest(opened),
        ),
        Question(
            "How many channels of the last map are quiet (all zero) on this photo?",
            lambda: _quiet(opened),
        ),
        Question(
            "How does the first kernel respond to an evenly grey photo?",
            lambda: _grey(opened),
        ),
    ]


def _largest(opened: Opened) -> str:
    sizes = {spec.name: spec.height * spec.width * spec.channels for spec in opened.maps}
    spec = max(opened.maps, key=lambda spec: sizes[spec.name])
    times = sizes[spec.name] / opened.pixels.size
    return (
        f"The map of {spec.height} × {spec.width} × {spec.channels} holds {sizes[spec.name]:,} "
        f"numbers, {times:.1f} times the {opened.pixels.size:,} of the photo."
    )


def _quiet(opened: Opened) -> str:
    spec = opened.maps[-1]
    quiet = int((opened.values[spec.name] <= 0).all(axis=(0, 1)).sum())
    return f"{quiet} of {spec.channels} are nowhere above zero on this photo."


def _grey(opened: Opened) -> str:
    layer = opened.encoder.first_convolution
    grey = opened.encoder.scaled(np.full_like(opened.pixels, 127))
    size = layer.kernel_size[0]
    total = float((layer.get_weights()[0][..., 0] * grey[:size, :size]).sum())
    bias = float(layer.get_weights()[1][0]) if layer.use_bias else 0.0
    return (
        f"After scaling, its pixels are {grey[0, 0, 0]:.4f}; times the kernel and added up they "
        f"give {total + bias:.5f}. On this photo the same kernel gives values from "
        f"{float(opened.first[..., 0].min()):.3f} to {float(opened.first[..., 0].max()):.3f}: it "
        "responds to differences between neighbours rather than to brightness."
    )
