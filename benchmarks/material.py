"""Synthetic photos and captions with the sizes and lengths of Flickr8k's."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from captioning.datasets import CaptionDataset, Photo
from captioning.datasets.data_issues import Oddities
from captioning.vocabulary import SPECIAL, Vocabulary

PHOTO_SIZES = ((500, 375), (375, 500), (500, 333), (224, 224))
CAPTIONS_PER_PHOTO = 5
MEAN_WORDS, DEVIATION_WORDS = 10.8, 3.8
"""Of a caption in Flickr8k."""
LEAST_WORDS = 3


def jpeg(size: tuple[int, int], *, seed: int = 0) -> bytes:
    """Draw coloured clouds with grain: a JPEG with about as many bytes as a photo of that size."""
    rng = np.random.default_rng(seed)
    width, height = size

    def clouds(columns: int, rows: int) -> np.ndarray:
        small = rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
        large = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        return np.asarray(large, np.float32)

    coarse, fine = clouds(12, 9), clouds(width // 8, height // 8)
    grain = rng.standard_normal((height, width, 1), np.float32) * 36
    pixels = np.clip(0.7 * coarse + 0.3 * fine + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def photo_folder(folder: Path, count: int) -> CaptionDataset:
    """Write `count` photos of different sizes and return them as a data set without captions."""
    folder.mkdir(parents=True)
    photos = tuple(Photo(f"{number:05d}.jpg", ()) for number in range(count))
    for number, photo in enumerate(photos):
        size = PHOTO_SIZES[number % len(PHOTO_SIZES)]
        (folder / photo.name).write_bytes(jpeg(size, seed=number))
    return CaptionDataset("made-up", folder, photos, folder, Oddities())


def made_up_vocabulary(size: int) -> Vocabulary:
    """Return a vocabulary of `size` words, the special marks included."""
    return Vocabulary([*SPECIAL, *(f"word{number}" for number in range(size - len(SPECIAL)))])


def made_up_captions(vocabulary: Vocabulary, photos: int, *, most_words: int) -> list[list[str]]:
    """Make five captions for each photo.

    Lengths are normal, with Flickr8k's mean and deviation, and words follow Zipf's law.
    """
    rng = np.random.default_rng(0)
    words = np.array(vocabulary.words[len(SPECIAL) :])
    frequency = 1.0 / np.arange(1, len(words) + 1)
    lengths = rng.normal(MEAN_WORDS, DEVIATION_WORDS, (photos, CAPTIONS_PER_PHOTO)).round()
    return [
        [
            " ".join(rng.choice(words, int(length), p=frequency / frequency.sum()))
            for length in of_photo
        ]
        for of_photo in lengths.clip(LEAST_WORDS, most_words)
    ]
