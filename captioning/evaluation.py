"""Scoring a model over a split, by the protocol that stands beside every number."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import DatasetError, FeaturesError
from captioning.features import FeatureStore, store_folder
from captioning.images import read_image
from captioning.metrics import CaptionScores, score_captions
from captioning.prefetch import ahead

__all__ = ["PROTOCOL", "Evaluation", "evaluate", "features_in_batches"]

PROTOCOL = (
    "all references of each photo; lower-case, ASCII punctuation stripped; "
    "corpus BLEU without smoothing, ROUGE-L, CIDEr-D as pycocoevalcap computes them; x100"
)
BATCH = 25


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on one split, and the captions they were taken of.

    Attributes:
        model: the bundle's name.
        data: the data set's name.
        split: which split.
        decoding: how the captions were chosen.
        scores: x100.
        captions: by photo name.
        seconds: for all of it.
    """

    model: str
    data: str
    split: str
    decoding: DecodingConfig
    scores: CaptionScores
    captions: dict[str, str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without the captions."""
        scores = self.scores.as_dict()
        measures = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
        return {
            "model": self.model,
            "data": self.data,
            "split": self.split,
            "images": scores["n"],
            "beam_width": self.decoding.beam_width,
            "length_penalty": self.decoding.length_penalty,
            **{name: round(float(scores[name]), 2) for name in measures},
            "protocol": PROTOCOL,
            "seconds": round(self.seconds, 1),
        }


def evaluate(
    captioner: Captioner,
    dataset: CaptionDataset,
    *,
    split: str = "test",
    decoding: DecodingConfig | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Caption every photo of a split and score the captions.

    Args:
        captioner: the model.
        dataset: the photos and their references.
        split: "train", "dev" or "test".
        decoding: how to choose captions; by default as the bundle says.
        on_progress: told photos done and in all after each batch.

    Raises:
        DatasetError: the split has no photos, or is unknown.
        ImageError: a photo cannot be read and has no stored features.
        WeightsError: the features are not stored and the encoder's weights cannot be had.
    """
    photos = dataset.split(split)
    if not photos:
        raise DatasetError(f"{dataset.name} has no {split} photos to score on.")
    decoding = decoding or captioner.bundle.decoding
    begun = time.monotonic()
    said: list[str] = []
    for features in features_in_batches(captioner, dataset, photos):
        said += [caption.text for caption in captioner.describe(features, decoding)]
        on_progress(len(said), len(photos))
    return Evaluation(
        model=captioner.name,
        data=dataset.name,
        split=split,
        decoding=decoding,
        scores=score_captions(said, dataset.references(split)),
        captions={photo.name: text for photo, text in zip(photos, said, strict=True)},
        seconds=time.monotonic() - begun,
    )


def features_in_batches(
    captioner: Captioner, dataset: CaptionDataset, photos: Sequence[Photo]
) -> Any:
    """Yield the features of `photos` in batches: from the store if there is one, else computed."""
    starts = range(0, len(photos), BATCH)
    bundle = captioner.bundle
    folder = store_folder(bundle.encoder, dataset, arrays=bundle.encoder_arrays())
    try:
        store = FeatureStore(folder)
    except FeaturesError:
        store = None

    def pixels(start: int) -> np.ndarray:
        some = photos[start : start + BATCH]
        return np.stack([captioner.encoder.pixels(read_image(dataset.path(p))) for p in some])

    if store is not None:
        for start in starts:
            yield store.of([photo.name for photo in photos[start : start + BATCH]])
    else:
        for batch in ahead(pixels, starts):
            yield captioner.encoder.encode(batch)
