"""Scoring a model over a split, by the protocol that stands beside every number."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import DatasetError
from captioning.metrics import METRICS, CaptionScores, score_captions

if TYPE_CHECKING:  # a page reads kept results without Keras
    from captioning.captioner import Captioner

__all__ = [
    "ONE_PHOTO",
    "PROTOCOL",
    "Evaluation",
    "caption_photos",
    "evaluate",
    "features_in_batches",
    "score_written",
]

PROTOCOL = (
    "all references of each photo; lower-case, ASCII punctuation stripped; "
    "corpus BLEU without smoothing, ROUGE-L, CIDEr-D as pycocoevalcap computes them; x100"
)
ONE_PHOTO = (
    "One photo was scored: its CIDEr is always 0, since CIDEr weighs words by how few photos' "
    "references have them."
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
        return {
            "model": self.model,
            "data": self.data,
            "split": self.split,
            "images": scores["n"],
            "beam_width": self.decoding.beam_width,
            "length_penalty": self.decoding.length_penalty,
            **{name: round(float(scores[name]), 2) for name in METRICS if name in scores},
            "protocol": PROTOCOL,
            "seconds": round(self.seconds, 1),
        }


def evaluate(
    captioner: "Captioner",
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
        on_progress: told photos done and in all after each batch; what it raises ends the work.

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
    captions: dict[str, str] = {}
    for written in caption_photos(captioner, dataset, photos, decoding):
        captions |= written
        on_progress(len(captions), len(photos))
    seconds = time.monotonic() - begun
    return score_written(captioner.name, dataset, split, decoding, captions, seconds)


def score_written(
    model: str,
    dataset: CaptionDataset,
    split: str,
    decoding: DecodingConfig,
    captions: Mapping[str, str],
    seconds: float,
) -> Evaluation:
    """Score captions that a model wrote about a split.

    Args:
        model: its name.
        dataset: the photos and their references.
        split: which of them.
        decoding: how the captions were chosen.
        captions: one for each photo of the split, by name.
        seconds: what writing them took.
    """
    said = [captions[photo.name] for photo in dataset.split(split)]
    return Evaluation(
        model=model,
        data=dataset.name,
        split=split,
        decoding=decoding,
        scores=score_captions(said, dataset.references(split)),
        captions=dict(captions),
        seconds=seconds,
    )


def caption_photos(
    captioner: "Captioner",
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    decoding: DecodingConfig | None = None,
) -> Iterator[dict[str, str]]:
    """Caption photos of a data set batch by batch, one turn of the model each.

    Between two batches whoever else waits for the model is served, and the caller may stop.

    Yields:
        The captions of a batch by photo name, in the order of `photos`.

    Raises:
        ImageError: a photo cannot be read and has no stored features.
        WeightsError: the features are not stored and the encoder's weights cannot be had.
    """
    starts = range(0, len(photos), BATCH)
    for start, features in zip(starts, captioner.look(dataset, photos, batch=BATCH), strict=True):
        written = captioner.describe(features, decoding)
        names = [photo.name for photo in photos[start : start + BATCH]]
        yield {name: caption.text for name, caption in zip(names, written, strict=True)}


def features_in_batches(
    captioner: "Captioner", dataset: CaptionDataset, photos: Sequence[Photo]
) -> Iterator[np.ndarray]:
    """Yield the features of `photos` in batches: from the store if there is one, else computed."""
    return captioner.look(dataset, photos, batch=BATCH)
