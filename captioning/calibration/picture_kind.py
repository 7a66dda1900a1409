"""Distinguish photos from screenshots, documents, charts, drawings, blank pictures and noise.

A multinomial logistic regression on a few statistics of the pixels; it needs no encoder.
`benchmarks/picture_kinds.py` fits and evaluates it.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
from PIL import Image

Kind = Literal["photo", "screenshot", "document", "chart", "drawing", "blank", "noise"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIDE = 224
"""Side of the square to which pictures are resized before they are measured, in pixels."""
BLOCK = 8


@dataclass(frozen=True)
class KindModel:
    """The regression.

    Attributes:
        mean: of each of the F statistics over the training pictures, float64 `(F,)`.
        deviation: likewise, their standard deviations.
        weights: of the standardised statistics and their squares, float64 `(2 F, K)`.
        bias: float64 `(K,)`.
        least: a picture with a lower probability of being a photo is not one.
    """

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    least: float

    def inputs(self, statistics: np.ndarray) -> np.ndarray:
        """Return what the weights apply to, `(N, 2 F)`, for statistics `(N, F)`."""
        standard = np.clip((statistics - self.mean) / self.deviation, -4, 4)
        return np.hstack([standard, standard**2])

    def probabilities(self, statistics: np.ndarray) -> np.ndarray:
        """Return the probability of each of `KINDS`, `(N, K)`, for statistics `(N, F)`."""
        return softmax(self.inputs(statistics) @ self.weights + self.bias)

    def kind(self, probabilities: np.ndarray) -> Kind:
        """Return the kind of a picture with these probabilities, `(K,)`."""
        if probabilities[0] >= self.least:
            return "photo"
        return KINDS[1 + int(probabilities[1:].argmax())]


def kind_of(picture: Image.Image) -> Kind:
    """Return the kind of a picture.

    Args:
        picture: RGB, of any size, as `captioning.images.read_image` returns it.
    """
    model = shipped_model()
    return model.kind(model.probabilities(picture_statistics(picture)[None])[0])


@cache
def shipped_model() -> KindModel:
    """Return the model that comes with the package."""
    text = files("captioning.calibration").joinpath("picture_kind.json").read_text("utf-8")
    content = json.loads(text)
    return KindModel(
        mean=np.array(content["mean"]),
        deviation=np.array(content["deviation"]),
        weights=np.array(content["weights"]),
        bias=np.array(content["bias"]),
        least=float(content["least"]),
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn rows of logits, `(N, K)`, into probabilities."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def picture_statistics(picture: Image.Image) -> np.ndarray:
    """Measure what distinguishes the kinds, on a copy of 224 x 224 pixels.

    Args:
        picture: RGB, of any size.

    Returns:
        float64 `(F,)`.
    """
    small = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    pixels = np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1), dtype=np.int16)
    grey = np.asarray(small.convert("L"), dtype=np.float32)
    return np.array(
        [*_neighbours(pixels), *_colours(pixels), *_gradients(grey), *_blocks(grey)], np.float64
    )


def _neighbours(pixels: np.ndarray) -> list[float]:
    """Shares of neighbouring pixels that are equal, nearly equal, and very different."""
    across = np.abs(pixels[:, :, 1:] - pixels[:, :, :-1]).max(axis=0)
    down = np.abs(pixels[:, 1:] - pixels[:, :-1]).max(axis=0)
    both = np.concatenate([across.ravel(), down.ravel()])
    shares = np.cumsum(np.bincount(both, minlength=256)) / len(both)
    rows, columns = (across <= 4).all(axis=1).mean(), (down <= 4).all(axis=0).mean()
    return [*(float(shares[limit]) for limit in (0, 2, 8, 20, 64)), float(rows), float(columns)]


def _colours(pixels: np.ndarray) -> list[float]:
    """How many colours there are, how common the commonest, and how bright and grey."""
    red, green, blue = pixels >> 4
    counts = np.bincount((red << 8 | green << 4 | blue).ravel())
    order = np.argsort(counts)[::-1][:8]
    shares = counts[order] / SIDE**2
    some = counts[counts > 0] / SIDE**2
    background = order[0]
    bright = ((background >> 8) + (background >> 4 & 15) + (background & 15)) / 45
    spread = pixels.max(axis=0) - pixels.min(axis=0)
    return [
        float(shares[0]),
        float(shares[:2].sum()),
        float(shares.sum()),
        float(np.log(len(some))),
        float(-(some * np.log(some)).sum()),
        float(bright),
        float((spread <= 8).mean()),
        float((spread >= 128).mean()),
    ]


def _gradients(grey: np.ndarray) -> list[float]:
    """Contrast, its share between neighbours, and the share of edges along the axes."""
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    long, short = np.maximum(abs(across), abs(down)), np.minimum(abs(across), abs(down))
    edges = long > 16
    straight = float((short[edges] < 0.1 * long[edges]).mean()) if edges.any() else 0.0
    between = (across.var() + down.var()) / 2
    second = np.diff(across, axis=1)
    return [
        float(np.log1p(grey.std())),
        float(np.log((between + 0.01) / (grey.var() + 0.1))),
        float(np.log((second.var() + 0.01) / (across.var() + 0.01))),
        float(np.log1p(long.mean())),
        straight,
        float(np.log1p(edges.mean() * 100)),
    ]


def _blocks(grey: np.ndarray) -> list[float]:
    """Shares of blocks of 8 x 8 pixels that are flat, softly structured and full of contrast."""
    count = SIDE // BLOCK
    blocks = grey.reshape(count, BLOCK, count, BLOCK).swapaxes(1, 2).reshape(count**2, -1)
    deviation = blocks.std(axis=1)
    bounds = ((0.0, 0.5), (0.5, 2.0), (2.0, 6.0), (6.0, 16.0), (40.0, 200.0))
    return [float(((deviation >= low) & (deviation < high)).mean()) for low, high in bounds]
