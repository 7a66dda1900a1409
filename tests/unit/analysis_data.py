"""Small data sets for the tests of `captioning.analysis`, made without touching a disk."""

import random
from pathlib import Path

from captioning.datasets import CaptionDataset, Oddities, Photo

WORDS = (
    "a the red blue dog cat dogs runs running jumps over grass snow man woman two t-shirt".split()
)


def dataset_of(captions, splits=None, name="small", folder=Path("nowhere")):
    """`captions`: a list of captions for each photo; `splits`: one for each, train if left out."""
    splits = splits or ["train"] * len(captions)
    photos = tuple(
        Photo(f"{place:04d}.png", tuple(texts), split)
        for place, (texts, split) in enumerate(zip(captions, splits, strict=True))
    )
    return CaptionDataset(name, folder, photos, folder, Oddities())


def random_captions(rng, photos, each=5):
    return [[random_caption(rng) for _ in range(rng.randint(1, each))] for _ in range(photos)]


def random_caption(rng):
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 12))]
    text = " ".join(words)
    if rng.random() < 0.3:
        text = text.capitalize().replace(" ", " , ", 1)
    return text + rng.choice(["", " .", "!", ' "'])


def random_dataset(seed, photos=60, name="small"):
    rng = random.Random(seed)
    splits = [rng.choice(["train", "train", "dev", "test", None]) for _ in range(photos)]
    return dataset_of(random_captions(rng, photos), splits, name)
