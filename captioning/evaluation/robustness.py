"""Altered photos: how the captions change for blurred, cropped, mirrored and dark photos."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.images import read_image
from captioning.prefetch import ahead

if TYPE_CHECKING:
    from captioning.captioner import Captioner

_BATCH = 4
_BLUR = 0.015
"""Radius of the blur, as a share of the photo's longer side."""
_KEPT = 0.7
"""Share of width and height that the crop keeps."""
_LIGHT = 0.3
"""Brightness of the darkened photo relative to the original."""


@dataclass(frozen=True)
class Altered:
    """The captions of one photo, unaltered and altered."""

    photo: Photo
    captions: Mapping[str, str]
    """By the name of the alteration, "as it is" first."""


def _blurred(photo: Image.Image) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(_BLUR * max(photo.size)))


def _cropped(photo: Image.Image) -> Image.Image:
    width, height = (max(1, round(_KEPT * side)) for side in photo.size)
    left, top = (photo.width - width) // 2, (photo.height - height) // 2
    return photo.crop((left, top, left + width, top + height))


def _darkened(photo: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(photo).enhance(_LIGHT)


AS_IT_IS = "as it is"
ALTERATIONS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    AS_IT_IS: lambda photo: photo,
    "blurred": _blurred,
    "cropped": _cropped,
    "mirrored": ImageOps.mirror,
    "dark": _darkened,
}
"""The alterations by name; each converts an RGB photo to an RGB photo."""


def sample_photos(photos: Sequence[Photo], count: int) -> list[Photo]:
    """Draw photos without replacement, in their original order; all if there are no more."""
    if count >= len(photos):
        return list(photos)
    drawn = np.random.default_rng(0).choice(len(photos), count, replace=False)
    return [photos[place] for place in sorted(drawn)]


def alter_and_caption(
    captioner: "Captioner",
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    decoding: DecodingConfig | None = None,
) -> Iterator[Altered]:
    """Caption each photo, unaltered and with each alteration.

    The photos are encoded a few at a time, so that other callers of the model do not wait long.

    Raises:
        ImageError: a photo cannot be read.
        WeightsError: the encoder's weights cannot be loaded.
    """
    batches = [photos[start : start + _BATCH] for start in range(0, len(photos), _BATCH)]

    def squares(batch: Sequence[Photo]) -> np.ndarray:
        read = [read_image(dataset.path(photo)) for photo in batch]
        altered = [change(photo) for photo in read for change in ALTERATIONS.values()]
        return np.stack([captioner.encoder.pixels(photo) for photo in altered])

    for batch, pixels in zip(batches, ahead(squares, batches), strict=True):
        written = captioner.describe(captioner.encode_squares(pixels), decoding)
        texts = iter(caption.text for caption in written)
        for photo in batch:
            yield Altered(photo, {name: next(texts) for name in ALTERATIONS})
