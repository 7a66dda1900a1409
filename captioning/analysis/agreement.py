"""How far people agree: each caption scored against the others of its photo.

This is the score that people themselves reach.  A model is scored against all
references of a photo and a person here against one fewer, so the two do not compare exactly: with
fewer references every caption scores a little lower.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from captioning.analysis.disk_cache import read_arrays, shelf, write_arrays
from captioning.datasets import CaptionDataset
from captioning.errors import DatasetError
from captioning.metrics import BleuScore, CiderD, bleu_from_statistics, bleu_statistics
from captioning.text import tokenize

FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Agreement:
    """Each caption of a split scored against the others of its photo.

    Only photos with at least two captions take part.  P photos, C captions of them in all.

    Attributes:
        split: which.
        names: the photos, in the order of the split.
        photo_of: the place in `names` of each caption's photo, int32 `(C,)`.
        number: the place of each caption among those of its photo, int32 `(C,)`.
        statistics: BLEU counts of each caption against the others, int64 `(C, 10)`, laid out as
            `captioning.metrics.bleu_statistics` does.
        cider: CIDEr-D of each caption against the others, 0 to 10, float64 `(C,)`.  How rare an
            n-gram is, is counted over the same others of all photos.
    """

    split: str
    names: tuple[str, ...]
    photo_of: np.ndarray
    number: np.ndarray
    statistics: np.ndarray
    cider: np.ndarray

    @property
    def bleu(self) -> BleuScore:
        """Corpus BLEU over all captions of the split, each against the others of its photo."""
        return bleu_from_statistics(self.statistics.sum(axis=0))

    @cached_property
    def cider_by_photo(self) -> np.ndarray:
        """The mean CIDEr-D of each photo's captions, 0 to 10, float64 `(P,)`."""
        total = np.bincount(self.photo_of, self.cider, len(self.names))
        return total / np.bincount(self.photo_of, minlength=len(self.names))

    def bleu_of(self, photo: int) -> tuple[float, ...]:
        """Return BLEU-1 to BLEU-4, 0 to 1, over the captions of one photo."""
        return bleu_from_statistics(self.statistics[self.photo_of == photo].sum(axis=0)).bleu

    def most_disputed(self, count: int = 12) -> list[int]:
        """Return the photos whose captions share least, by CIDEr-D, as places in `names`."""
        return [int(place) for place in np.argsort(self.cider_by_photo, kind="stable")[:count]]


def open_agreement(
    dataset: CaptionDataset,
    split: str,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Agreement:
    """Return the agreement on a split: as it was kept on disk, else measured and kept.

    Raises:
        DatasetError: as `measure_agreement`.
    """
    path = shelf(dataset) / f"agreement-{split}.npz"
    kept = kept_agreement(dataset, split)
    if kept is not None:
        return kept
    measured = measure_agreement(dataset, split, on_progress=on_progress)
    names = ("photo_of", "number", "statistics", "cider")
    write_arrays(path, FORMAT_VERSION, {name: getattr(measured, name) for name in names})
    return measured


def kept_agreement(dataset: CaptionDataset, split: str) -> Agreement | None:
    """Return the agreement on a split if it was measured before, else None."""
    arrays = read_arrays(shelf(dataset) / f"agreement-{split}.npz", FORMAT_VERSION)
    try:
        return None if arrays is None else Agreement(split, _names(dataset, split), **arrays)
    except TypeError:  # an array is missing: the file was damaged
        return None


def measure_agreement(
    dataset: CaptionDataset,
    split: str,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Agreement:
    """Score each caption of a split against the others of its photo.

    Args:
        dataset: whose captions.
        split: "train", "dev" or "test".
        on_progress: called with rounds done and in all; a round takes one caption of every photo.

    Raises:
        DatasetError: there is no such split, or no photo in it has two captions.
    """
    captions_of = [
        [tokenize(caption) for caption in photo.captions]
        for photo in dataset.split(split)
        if len(photo.captions) > 1
    ]
    if not captions_of:
        raise DatasetError(
            f"No {split} photo of {dataset.name} has two captions, so there is nothing to compare."
        )
    rounds = max(map(len, captions_of))
    parts = []
    for number in range(rounds):
        parts.append(_one_round(captions_of, number))
        on_progress(number + 1, rounds)
    photo_of, numbers, statistics, cider = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    return Agreement(split, _names(dataset, split), photo_of, numbers, statistics, cider)


def _one_round(captions_of: Sequence[list[list[str]]], number: int) -> tuple[np.ndarray, ...]:
    """Score caption `number` of every photo that has it against that photo's other captions."""
    photos = [place for place, captions in enumerate(captions_of) if len(captions) > number]
    spoken = [captions_of[place][number] for place in photos]
    others = [[*captions_of[place][:number], *captions_of[place][number + 1 :]] for place in photos]
    pairs = zip(spoken, others, strict=True)
    statistics = np.stack([bleu_statistics(words, references) for words, references in pairs])
    cider = CiderD(others).scores(spoken, range(len(others)))
    return np.array(photos, np.int32), np.full(len(photos), number, np.int32), statistics, cider


def _names(dataset: CaptionDataset, split: str) -> tuple[str, ...]:
    return tuple(photo.name for photo in dataset.split(split) if len(photo.captions) > 1)
