"""Recorded views of photos: pixels for the student, and the teacher's features as targets.

A view is a small crop with colour jitter, the same for teacher and student.

A recording is a folder:

    pixels.npy   uint8 (N, S, S, 3)  the views at the student's size
    targets.npy  float16 (N, R, C)   the teacher's regions in principal components
    basis.safetensors                mean and scale of the teacher's channels, and the components
    recording.json                   how many views are written so far, and the total
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from captioning.augmentation import crop_box
from captioning.datasets import CaptionDataset
from captioning.encoders import Encoder
from captioning.errors import ConfigError, FeaturesError, StorageError
from captioning.images import read_image, to_square
from captioning.prefetch import ahead
from captioning.storage import read_json, write_json
from captioning.training.distillation.settings import DistillationConfig

BATCH = 32

FITTED_ON = 1536
"""Number of views used to compute the principal components."""

LIGHT = 0.4
"""Maximum change of brightness, contrast and colour from 1."""


def draw_view(
    photo: Image.Image, random: np.random.Generator, *, smallest: float = 0.25
) -> Image.Image:
    """Crop a photo at random, flip it at random, and change its colours.

    Args:
        photo: RGB.
        random: the random generator; the same state gives the same view.
        smallest: minimum share of the photo's area in a crop.

    Returns:
        The crop, RGB, in its original size.
    """
    view = photo.crop(crop_box(photo.size, random, smallest))
    if random.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = change(view).enhance(random.uniform(1 - LIGHT, 1 + LIGHT))
    return view


@dataclass(frozen=True)
class Basis:
    """A projection of the teacher's channels to principal components.

    Attributes:
        mean: float32 `(D,)`, of each channel.
        components: float32 `(D, C)`; multiplied with the centred channels.
    """

    mean: np.ndarray
    components: np.ndarray

    @classmethod
    def fit(cls, regions: np.ndarray, count: int) -> "Basis":
        """Compute principal components of standardised channels.

        Each component is divided by the fourth root of its variance: large components keep more
        weight than small ones, but do not dominate them.

        Args:
            regions: float32 `(N, D)`.
            count: number of components, at most `D`.
        """
        mean, deviation = regions.mean(axis=0), regions.std(axis=0) + 1e-6
        standard = (regions - mean) / deviation
        variances, directions = np.linalg.eigh(standard.T @ standard / len(standard))
        kept = np.argsort(variances)[::-1][:count]
        scale = np.maximum(variances[kept], 1e-6) ** 0.25
        # One common scale: the targets have a variance of 1 on average, so losses are comparable.
        scale = scale * np.sqrt(np.mean(variances[kept] / scale**2))
        return cls(mean, (directions[:, kept] / scale / deviation[:, None]).astype(np.float32))

    def __call__(self, regions: np.ndarray) -> np.ndarray:
        """Return float32 `(..., C)` for regions `(..., D)`."""
        scores: np.ndarray = (regions - self.mean) @ self.components
        return scores


class Recording:
    """A recording on disk, open for reading.

    Args:
        folder: written by `record_views`; it may still be growing.

    Attributes:
        pixels: uint8 `(N, S, S, 3)`, on disk.
        targets: float16 `(N, R, C)`, on disk.

    Raises:
        FeaturesError: the recording is missing or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.pixels = np.load(self.folder / "pixels.npy", mmap_mode="r")
            self.targets = np.load(self.folder / "targets.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise FeaturesError(
                f"{self.folder} holds no recorded views ({error}). Record them first."
            ) from error

    @property
    def written(self) -> int:
        """Number of views that can be read now."""
        return _written(self.folder)


def record_views(
    folder: str | Path,
    config: DistillationConfig,
    dataset: CaptionDataset,
    teacher: Encoder,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Recording:
    """Record the teacher's features for views of the training photos.

    View `n` shows photo `n` modulo their number and depends only on the seed and `n`, so an
    interrupted recording resumes where it stopped.

    Args:
        folder: created if missing.
        config: of these settings, `student`, `views`, `components`, `smallest_crop`, `seed` and
            `limit_images` are used.
        dataset: the data set; only its training photos are used.
        teacher: an encoder that returns regions.
        on_progress: called with the views done and the total.
        should_stop: called between batches; a true result stops the recording.

    Raises:
        ConfigError: the teacher returns no regions, or has fewer channels than components.
        FeaturesError: the recording cannot be written, or has another configuration.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    photos = [dataset.path(p) for p in dataset.split("train")][: config.limit_images or None]
    draw = _Draw(config, photos, int(teacher.config.input_size or 0))
    basis = _basis(folder, config, teacher, draw)
    pixels, targets = _arrays(folder, config, teacher)
    done = _written(folder)
    starts = range(done, config.views, BATCH)
    chunks = [range(start, min(start + BATCH, config.views)) for start in starts]
    for chunk, (small, large) in zip(chunks, ahead(draw, chunks), strict=True):
        if should_stop():
            break
        place = slice(chunk.start, chunk.stop)
        pixels[place], targets[place] = small, basis(teacher.encode(large))
        _note(folder, chunk.stop, config.views)
        on_progress(chunk.stop, config.views)
    return Recording(folder)


class _Draw:
    """Draws views by number, at the input sizes of student and teacher."""

    def __init__(self, config: DistillationConfig, photos: Sequence[Path], large: int) -> None:
        self.config, self.photos = config, photos
        self.small, self.large = int(config.student.input_size or 0), large

    def __call__(self, numbers: range) -> tuple[np.ndarray, np.ndarray]:
        views = list(self._views(numbers))
        return tuple(  # type: ignore[return-value]
            np.stack([to_square(view, size) for view in views]) for size in (self.small, self.large)
        )

    def _views(self, numbers: range) -> Iterator[Image.Image]:
        for number in numbers:
            photo = read_image(self.photos[number % len(self.photos)])
            random = np.random.default_rng((self.config.seed, number))
            yield draw_view(photo, random, smallest=self.config.smallest_crop)


def _basis(folder: Path, config: DistillationConfig, teacher: Encoder, draw: _Draw) -> Basis:
    """Read the principal components, or compute them from the first views."""
    path, shape = folder / "basis.safetensors", teacher.feature_shape
    if len(shape) != 2 or shape[1] < config.components:
        raise ConfigError(
            f"The teacher returns features of shape {shape}; distillation needs regions with at "
            f"least {config.components} channels."
        )
    try:
        return Basis(**load_file(path))
    except (OSError, SafetensorError, TypeError):
        pass  # missing or incomplete: the same views give the same basis
    numbers = range(min(FITTED_ON, config.views))
    chunks = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
    seen = [teacher.encode(large) for _, large in ahead(draw, chunks)]
    basis = Basis.fit(np.concatenate(seen).reshape(-1, shape[1]), config.components)
    save_file({"mean": basis.mean, "components": np.ascontiguousarray(basis.components)}, path)
    return basis


def _arrays(
    folder: Path, config: DistillationConfig, teacher: Encoder
) -> tuple[np.ndarray, np.ndarray]:
    """Open both arrays for writing, created with their full size if missing."""
    side, regions = int(config.student.input_size or 0), teacher.feature_shape[0]
    pixels = _array(folder / "pixels.npy", (config.views, side, side, 3), np.dtype(np.uint8))
    shape = (config.views, regions, config.components)
    return pixels, _array(folder / "targets.npy", shape, np.dtype(np.float16))


def _array(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    try:
        if not path.exists():
            return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        found: np.ndarray = np.load(path, mmap_mode="r+")
    except (OSError, ValueError) as error:
        raise FeaturesError(f"{path} cannot be written ({error}).") from error
    if found.shape != shape or found.dtype != dtype:
        raise FeaturesError(
            f"{path} belongs to another configuration: expected {shape}, found {found.shape}. "
            "Choose another folder, or delete this one."
        )
    return found


def _note(folder: Path, done: int, total: int) -> None:
    write_json(folder / "recording.json", {"written": done, "views": total})


def _written(folder: Path) -> int:
    try:
        return int(read_json(folder / "recording.json", dict)["written"])
    except (StorageError, ValueError, KeyError, TypeError):
        return 0
