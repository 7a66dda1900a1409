"""Fit and score the model that separates photos from screenshots, documents, charts and drawings.

    python -m benchmarks.picture_kinds score --flickr8k DIR --everyday DIR
    python -m benchmarks.picture_kinds fit --flickr8k DIR --everyday DIR --originals DIR

`fit` uses photos of the training splits and writes `captioning/calibration/picture_kind.json`.
`score` uses photos of the dev splits, pictures drawn from another seed, and screenshots of other
pages.  Both need Chromium.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from benchmarks.drawn_pictures import draw_pictures, resaved
from benchmarks.screens import FIT_PAGES, SCORE_PAGES, take_screenshots
from captioning.calibration import picture_kind
from captioning.calibration.picture_kind import (
    KINDS,
    SIDE,
    Kind,
    KindModel,
    picture_statistics,
    softmax,
)
from captioning.datasets import CaptionDataset, load
from captioning.images import read_image

MODEL_FILE = Path(picture_kind.__file__).with_name("picture_kind.json")
FIT_SEED, SCORE_SEED = 0, 1
FIT_DRAWN: dict[Kind, int] = dict.fromkeys(("document", "chart", "drawing", "blank", "noise"), 60)
SCORE_DRAWN: dict[Kind, int] = {
    "document": 70, "chart": 70, "drawing": 60, "blank": 40, "noise": 40,
}  # fmt: skip
FIT_SCREENS, SCORE_SCREENS = 64, 120
FIT_PHOTOS = 500
STEPS, WEIGHT_DECAY = 1500, 1e-4
MISTAKEN_PHOTOS = 0.002
"""Share of the training photos that the threshold lets be taken for something else."""
Random = np.random.Generator


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("fit", "score"))
    parser.add_argument("--flickr8k", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--everyday", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--originals", type=Path, help="photos in their full size, for fit")
    asked = parser.parse_args(arguments)
    datasets = [load(asked.flickr8k), load(asked.everyday)]
    if asked.command == "score":
        return _score(datasets)
    originals = sorted(asked.originals.glob("*.jpg")) if asked.originals else []
    return _fit(datasets, originals)


# Photos that a simple rule would misclassify.


def _in_grey(photo: Image.Image, random: Random) -> Image.Image:
    return photo.convert("L").convert("RGB")


def _with_border(photo: Image.Image, random: Random) -> Image.Image:
    return ImageOps.expand(photo, int(max(photo.size) * random.uniform(0.02, 0.12)), "white")


def _dark(photo: Image.Image, random: Random) -> Image.Image:
    return ImageEnhance.Brightness(photo).enhance(random.uniform(0.12, 0.4))


def _under_sky(photo: Image.Image, random: Random) -> Image.Image:
    """Lay a smooth sky over the upper half."""
    width, height = photo.size
    low, high = np.array([200, 220, 240.0]), np.array([60, 120, 200.0])
    share = np.linspace(0, 1, height)[:, None, None]
    sky = high + (low - high) * share + random.normal(0, 1, (height, width, 1))
    over = np.clip((random.uniform(0.35, 0.6) - share) * 20, 0, 1)
    mixed = sky * over + np.asarray(photo, np.float64) * (1 - over)
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


ALTERED: dict[str, Callable[[Image.Image, Random], Image.Image]] = {
    "black and white": _in_grey,
    "white border": _with_border,
    "very dark": _dark,
    "sky": _under_sky,
}
"""Changes after which a photo is still a photo."""


def varied(picture: Image.Image, count: int, random: Random) -> Iterator[Image.Image]:
    """Yield the picture, then `count` parts of it, some as negatives, in other colours, as JPEG."""
    yield picture
    width, height = picture.size
    for _ in range(count):
        part_width, part_height = (
            max(1, int(side * random.uniform(0.5, 1))) for side in (width, height)
        )
        left = int(random.integers(width - part_width + 1))
        top = int(random.integers(height - part_height + 1))
        part = picture.crop((left, top, left + part_width, top + part_height)).resize((SIDE, SIDE))
        bands = [part.getchannel(int(band)) for band in random.permutation(3)]
        part = Image.merge("RGB", bands)
        yield resaved(ImageOps.invert(part) if random.random() < 0.3 else part, random)


def _photos(datasets: Iterable[CaptionDataset], split: str, most: int) -> list[Path]:
    """Return up to `most` paths of each data set's split."""
    return [d.path(photo) for d in datasets for photo in d.split(split)[:most]]


def _changed(paths: Sequence[Path], *, seed: int) -> Iterator[Image.Image]:
    """Yield each photo, altered in one of the ways of `ALTERED`, sometimes recompressed."""
    ways = list(ALTERED.values())
    for number, path in enumerate(paths):
        random = np.random.default_rng((seed, number))
        yield resaved(ways[number % len(ways)](read_image(path), random), random)


def _screens(
    pages: Sequence[Callable[[Random, str], str]], count: int, photos: Sequence[Path], seed: int
) -> Iterator[Image.Image]:
    for number, screen in enumerate(take_screenshots(pages, count, photos, seed=seed)):
        yield resaved(screen, np.random.default_rng((seed, number)))


def _each_varied(pictures: Iterable[Image.Image], count: int) -> Iterator[Image.Image]:
    for number, picture in enumerate(pictures):
        yield from varied(picture, count, np.random.default_rng(number))


def _measured(pictures: Iterable[Image.Image]) -> np.ndarray:
    return np.array([picture_statistics(picture) for picture in pictures])


def _fit(datasets: Sequence[CaptionDataset], originals: Sequence[Path]) -> int:
    photos = _photos(datasets, "train", FIT_PHOTOS)
    held_out = {
        path.name for path in _photos(datasets, "dev", 10**6) + _photos(datasets, "test", 10**6)
    }
    originals = [path for path in originals if path.name not in held_out]
    plain = _measured(read_image(path) for path in photos)
    screens = take_screenshots(FIT_PAGES, FIT_SCREENS, photos, seed=FIT_SEED)
    sets: list[tuple[Kind, np.ndarray]] = [
        ("photo", plain),
        ("photo", _measured(_changed(photos + originals * 4, seed=FIT_SEED))),
        ("photo", _measured(read_image(path) for path in originals)),
        ("screenshot", _measured(_each_varied(screens, 5))),
    ]
    for kind, count in FIT_DRAWN.items():
        drawn = (picture for _, picture in draw_pictures({kind: count}, seed=FIT_SEED))
        sets.append((kind, _measured(_each_varied(drawn, 4))))
    kinds = np.concatenate([np.full(len(rows), KINDS.index(kind)) for kind, rows in sets])
    model = fit_model(np.concatenate([rows for _, rows in sets]), kinds, plain)
    arrays = {
        name: getattr(model, name).round(4).tolist()
        for name in ("mean", "deviation", "weights", "bias")
    }
    MODEL_FILE.write_text(json.dumps({**arrays, "least": model.least}) + "\n", "utf-8")
    return 0


def fit_model(statistics: np.ndarray, kinds: np.ndarray, plain_photos: np.ndarray) -> KindModel:
    """Fit the regression by gradient descent, with equal weight for all kinds except photos.

    Args:
        statistics: of N pictures, `(N, F)`.
        kinds: their indices in `KINDS`, `(N,)`.
        plain_photos: statistics of photos, which set the threshold, `(M, F)`.
    """
    mean, deviation = statistics.mean(axis=0), statistics.std(axis=0) + 1e-6
    inputs = KindModel(mean, deviation, np.empty(0), np.empty(0), 0.0).inputs(statistics)
    inputs = np.hstack([inputs, np.ones((len(inputs), 1))])
    counts = np.bincount(kinds, minlength=len(KINDS))
    share = np.where(np.arange(len(KINDS)) == 0, 0.5, 0.5 / (len(KINDS) - 1)) / counts
    target, importance = np.eye(len(KINDS))[kinds], share[kinds][:, None]
    step = 1 / np.linalg.eigvalsh(inputs.T @ (importance * inputs))[-1]
    weights = velocity = np.zeros((inputs.shape[1], len(KINDS)))
    for _ in range(STEPS):
        guess = softmax(inputs @ weights)
        gradient = inputs.T @ (importance * (guess - target)) + WEIGHT_DECAY * weights
        velocity = 0.95 * velocity - step * gradient
        weights = weights + velocity
    model = KindModel(mean, deviation, weights[:-1], weights[-1], 0.0)
    least = np.quantile(model.probabilities(plain_photos)[:, 0], MISTAKEN_PHOTOS)
    return KindModel(mean, deviation, weights[:-1], weights[-1], float(np.floor(least * 1e4) / 1e4))


def _score(datasets: Sequence[CaptionDataset]) -> int:
    dev = [_photos([dataset], "dev", 10**6) for dataset in datasets]
    found: Counter[str] = Counter()
    screens = _screens(SCORE_PAGES, SCORE_SCREENS, dev[1], SCORE_SEED)
    for kind, pictures in (
        ("screenshot", screens),
        *(
            (k, (p for _, p in draw_pictures({k: n}, seed=SCORE_SEED)))
            for k, n in SCORE_DRAWN.items()
        ),
    ):
        found.update(_report(kind, pictures))
    print(f"no photos: {1 - found['photo'] / found.total():.1%} of {found.total()} recognised")
    for dataset, paths in zip(datasets, dev, strict=True):
        _report(f"photos of {dataset.name}, dev", (read_image(path) for path in paths))
    some = list(enumerate(dev[1] + dev[0][:100]))
    for name, change in ALTERED.items():
        changed = (change(read_image(path), np.random.default_rng(n)) for n, path in some)
        _report(f"photos, {name}", changed)
    return 0


def _report(name: str, pictures: Iterable[Image.Image]) -> Counter[str]:
    """Print and return how often each kind is predicted for the pictures."""
    found: Counter[str] = Counter(picture_kind.kind_of(picture) for picture in pictures)
    taken = ", ".join(f"{kind} {count}" for kind, count in found.most_common())
    print(f"{name} ({found.total()}): {taken}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
