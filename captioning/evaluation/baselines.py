"""Captions that cost no model: what a score is worth shows only beside them."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import DatasetError, WeightsError
from captioning.evaluation.scoring import PhotoScores, score_photos
from captioning.text import clean

if TYPE_CHECKING:
    from captioning.captioner import Captioner

__all__ = [
    "BASELINES",
    "Baseline",
    "against_the_others",
    "blind_caption",
    "commonest_caption",
    "human_scores",
    "make_baselines",
    "nearest_captions",
    "shuffled_captions",
]

COMMONEST, BLIND, SHUFFLED, NEAREST, FOUR, HUMAN = BASELINES = (
    "The commonest caption",
    "The model blind",
    "Its captions, shuffled",
    "The nearest photo's caption",
    "This model, four references",
    "A person, four references",
)
"""What `make_baselines` gives, in this order."""

Told = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Something to hold a model's score against.

    Attributes:
        name: one of `BASELINES`.
        meaning: in a sentence.
        scores: on the same photos.
        example: what it says, if that is one sentence for all photos.
    """

    name: str
    meaning: str
    scores: PhotoScores
    example: str | None = None


def make_baselines(
    captioner: "Captioner",
    dataset: CaptionDataset,
    split: str,
    captions: Sequence[str],
    *,
    decoding: DecodingConfig | None = None,
    with_neighbours: bool = True,
    on_progress: Told = lambda done, total: None,
) -> Iterator[Baseline]:
    """Make the baselines of a split one after the other.

    The blind model is left out where the encoder's weights, for looking at a grey photo, are not
    to be had, and people where photos have a single reference.

    Args:
        captioner: the model they stand beside.
        dataset: the photos with their references; the training captions come from it too.
        split: which photos.
        captions: what the model says about them, in their order.
        decoding: how the blind model chooses; by default as the bundle says.
        with_neighbours: whether to look for each photo's nearest training photo, which needs the
            features of all training photos.
        on_progress: told how many photos were looked at for that, and of how many.

    Raises:
        DatasetError: there are no training captions.
    """
    photos, references = dataset.split(split), dataset.references(split)
    names = [photo.name for photo in photos]

    def scored(said: Sequence[str]) -> PhotoScores:
        return score_photos(names, said, references)

    common = commonest_caption(dataset)
    yield Baseline(
        COMMONEST,
        "The same sentence for every photo: the one that training captions have most often.",
        scored([common] * len(photos)),
        example=common,
    )
    with contextlib.suppress(WeightsError):  # stored features are enough for all but this
        blind = blind_caption(captioner, decoding)
        yield Baseline(
            BLIND,
            "The same decoder looking at an evenly grey photo: what it says from habit.",
            scored([blind] * len(photos)),
            example=blind,
        )
    yield Baseline(
        SHUFFLED,
        "The model's own captions, each given to another photo: right in manner, wrong in matter.",
        scored(shuffled_captions(captions)),
    )
    if with_neighbours:
        yield Baseline(
            NEAREST,
            "The first caption of the training photo with the most similar features.",
            scored(nearest_captions(captioner, dataset, photos, on_progress=on_progress)),
        )
    if any(len(texts) > 1 for texts in references):
        yield from _beside_people(names, captions, references)


def _beside_people(
    names: Sequence[str], captions: Sequence[str], references: Sequence[Sequence[str]]
) -> Iterator[Baseline]:
    """Score the model and people alike: one reference is left out in turn."""
    yield Baseline(
        FOUR,
        "This model's captions, scored as people are below: one reference left out in turn.",
        against_the_others(names, captions, references),
    )
    yield Baseline(
        HUMAN,
        "Each reference in turn as the caption, scored against the photo's other ones.",
        human_scores(names, references),
    )


def commonest_caption(dataset: CaptionDataset) -> str:
    """Return the cleaned caption that occurs most often in training; of several, the first.

    Raises:
        DatasetError: there are no training captions.
    """
    counts = Counter(clean(text) for photo in dataset.split("train") for text in photo.captions)
    if not counts:
        raise DatasetError(f"{dataset.name} has no training captions to take the commonest of.")
    return counts.most_common(1)[0][0]


def blind_caption(captioner: "Captioner", decoding: DecodingConfig | None = None) -> str:
    """Return what the decoder says about an evenly grey photo.

    Raises:
        WeightsError: the encoder's weights cannot be had.
    """
    return captioner.describe(captioner.blank_features, decoding)[0].text


def shuffled_captions(captions: Sequence[str], *, seed: int = 0) -> list[str]:
    """Return the captions in another order, in which none keeps its place if there are two."""
    order = np.random.default_rng(seed).permutation(len(captions))
    # Handing each to the next one of a random order leaves nobody with his own.
    given = [""] * len(captions)
    for giver, taker in zip(order, np.roll(order, 1), strict=True):
        given[taker] = captions[giver]
    return given


def nearest_captions(
    captioner: "Captioner",
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    *,
    on_progress: Told = lambda done, total: None,
) -> list[str]:
    """Return for each photo the first caption of the training photo most like it.

    Photos are compared by the cosine of their features, averaged over the regions; a photo is
    never its own neighbour.

    Raises:
        DatasetError: there are no training photos with captions, or just one.
    """
    training = [photo for photo in dataset.split("train") if photo.captions]
    if len(training) < 2:
        raise DatasetError(f"{dataset.name} has too few training photos to find neighbours among.")
    everything = [*training, *photos]
    vectors = captioner.look_pooled(dataset, everything, on_progress=on_progress)
    cosines = vectors[len(training) :] @ vectors[: len(training)].T
    places = {photo.name: place for place, photo in enumerate(training)}
    for row, photo in enumerate(photos):
        if photo.name in places:
            cosines[row, places[photo.name]] = -np.inf
    return [training[int(place)].captions[0] for place in cosines.argmax(axis=1)]


def human_scores(names: Sequence[str], references: Sequence[Sequence[str]]) -> PhotoScores:
    """Score each reference as if it were a caption, against the photo's other references.

    Each photo counts once: its statistics are the mean over its references.
    Photos with a single reference are left out.

    Raises:
        ConfigError: no photo has two references.
    """
    return _left_out(names, references, lambda photo, number: references[photo][number])


def against_the_others(
    names: Sequence[str], captions: Sequence[str], references: Sequence[Sequence[str]]
) -> PhotoScores:
    """Score captions as `human_scores` scores people: each time with one reference left out.

    Raises:
        ConfigError: no photo has two references.
    """
    return _left_out(names, references, lambda photo, number: captions[photo])


def _left_out(
    names: Sequence[str],
    references: Sequence[Sequence[str]],
    said: Callable[[int, int], str],
) -> PhotoScores:
    """Score round after round, in which each photo's reference of that number is left out."""
    kept = [photo for photo, texts in enumerate(references) if len(texts) > 1]
    place = {photo: row for row, photo in enumerate(kept)}
    sums: dict[str, np.ndarray] = {}
    rounds = np.zeros((len(kept), 1))
    for number in range(max((len(references[photo]) for photo in kept), default=1)):
        having = [photo for photo in kept if number < len(references[photo])]
        others = [
            [*references[photo][:number], *references[photo][number + 1 :]] for photo in having
        ]
        scores = score_photos(
            [names[photo] for photo in having], [said(photo, number) for photo in having], others
        )
        photos = [place[photo] for photo in having]
        for name, rows in scores.rows.items():
            sums.setdefault(name, np.zeros((len(kept), rows.shape[1])))[photos] += rows
        rounds[photos] += 1
    averages = {name: rows / rounds for name, rows in sums.items()}
    return PhotoScores(tuple(names[photo] for photo in kept), averages)
