"""Lesson 2: three questions that the live encoder answers, and where its ideas come from."""

import numpy as np

from pages.learn.encoder.activations import Opened
from pages.learn.frame import Paper, Question

__all__ = ["PAPERS", "questions"]

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
            "What does the first kernel answer to an evenly grey photo?",
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
        f"Scaled, its pixels are {grey[0, 0, 0]:.4f}; times the kernel and added up they give "
        f"{total + bias:.5f}. On this photo the same kernel gives values from "
        f"{float(opened.first[..., 0].min()):.3f} to {float(opened.first[..., 0].max()):.3f}: it "
        "answers to differences between neighbours rather than to light."
    )
