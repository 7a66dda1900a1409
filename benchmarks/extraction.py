"""The rate of feature extraction compared with the forward pass alone."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.material import photo_folder
from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.networks import bare_forward, name_of, random_encoder
from benchmarks.sizes import Sizes
from captioning.datasets import CaptionDataset
from captioning.encoders import Encoder
from captioning.features import BATCH, extract_features

__all__ = ["COMPARISON", "compare"]

COMPARISON = Comparison(
    key="extraction_over_forward",
    title="Rate of feature extraction over that of the bare forward pass",
    over="forward",  # rates are the other way round than times
    under="extraction",
    unit="photo",
    at_least=0.85,
    notes=f"Both in batches of {BATCH}. 1 would mean that reading and storing cost nothing.",
)


def compare(sizes: Sizes) -> Result:
    """Time both over the same number of photos."""
    encoder = random_encoder(sizes)
    photos = sizes.extraction_batches * BATCH
    with TemporaryDirectory() as folder:
        dataset = photo_folder(Path(folder) / "photos", photos)
        works = {
            "extraction": Work(
                f"extract_features: {photos} JPEGs on disk, read, encoded and stored",
                _extraction(encoder, dataset, Path(folder)),
                photos,
            ),
            "forward": Work(
                f"{name_of(encoder)} alone, compiled, on arrays in memory",
                _forward(encoder, sizes.extraction_batches),
                photos,
            ),
        }
        return measure(COMPARISON, works, rounds=sizes.extraction_rounds)


def _extraction(encoder: Encoder, dataset: CaptionDataset, folder: Path) -> Callable[[], object]:
    """Return a function that starts a new store at each call."""
    stores = (folder / f"store-{number}" for number in count())
    return lambda: extract_features(encoder, dataset, next(stores))


def _forward(encoder: Encoder, batches: int) -> Callable[[], object]:
    forward = bare_forward(encoder, BATCH)

    def run() -> None:
        for _ in range(batches):
            forward()

    return run
