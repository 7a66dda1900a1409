"""Baselines: captions that need no model, to compare a model's scores with."""

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
from captioning.features import pooled
from captioning.text import clean

if TYPE_CHECKING:
    from captioning.captioner import Captioner

COMMONEST, BLIND, SHUFFLED, NEAREST, FOUR, HUMAN = BASELINES = (
    "The commonest caption",
    "The model blind",
    "Its captions, shuffled",
    "The nearest photo's caption",
    "This model, four references",
    "A person, four references",
)
"""What `make_baselines` gives, in this order."""

_MEANINGS = {
    COMMONEST: "The same sentence for every photo: the most frequent training caption.",
    BLIND: "The same decoder with a uniformly grey photo: what it writes without seeing anything.",
    SHUFFLED: "The model's own captions, each given to another photo: good sentences, wrong photo.",
    NEAREST: "The first caption of the training photo with the most similar features.",
    FOUR: "This model's captions, scored as people are below: one reference left out in turn.",
    HUMAN: "Each reference in turn as the caption, scored against the photo's other ones.",
}

ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Something to compare a model's score with.

    Attributes:
        name: one of `BASELINES`.
        scores: on the same photos.
        example: its caption, if it has the same for all photos.
    """

    name: str
    scores: PhotoScores
    example: str | None = None

    @property
    def meaning(self) -> str:
        """What it is, in a sentence."""
        return _MEANINGS[self.name]


def make_baselines(
    captioner: "Captioner",
    dataset: CaptionDataset,
    split: str,
    captions: Sequence[str],
    *,
    decoding: DecodingConfig | None = None,
    with_neighbours: bool = True,
    on_progress: ProgressCallback = lambda done, total: None,
) -> Iterator[Baseline]:
    """Make the baselines of a split one after the other.

    The blind model is left out if the encoder's weights, which the grey photo needs, cannot be
    downloaded, and people are left out if photos have a single reference.

    Args:
        captioner: the model to compare with.
        dataset: the photos with their references, and the training captions.
        split: which photos.
        captions: the model's captions of them, in their order.
        decoding: how the blind model searches; by default the bundle's settings.
        with_neighbours: whether to find each photo's nearest training photo, which needs the
            features of all training photos.
        on_progress: called with the number of photos compared for that, and of all.

    Raises:
        DatasetError: there are no training captions.
    """
    photos, references = dataset.split(split), dataset.references(split)
    names = [photo.name for photo in photos]

    def scored(hypotheses: Sequence[str]) -> PhotoScores:
        return score_photos(names, hypotheses, references)

    common = commonest_caption(dataset)
    yield Baseline(COMMONEST, scored([common] * len(photos)), example=common)
    with contextlib.suppress(WeightsError):  # stored features are enough for all but this
        blind = blind_caption(captioner, decoding)
        yield Baseline(BLIND, scored([blind] * len(photos)), example=blind)
    yield Baseline(SHUFFLED, scored(shuffled_captions(captions)))
    if with_neighbours:
        yield Baseline(
            NEAREST, scored(nearest_captions(captioner, dataset, photos, on_progress=on_progress))
        )
    if any(len(texts) > 1 for texts in references):
        # The model and people are scored in the same way: with one reference left out in turn.
        yield Baseline(FOUR, against_the_others(names, captions, references))
        yield Baseline(HUMAN, human_scores(names, references))


def commonest_caption(dataset: CaptionDataset) -> str:
    """Return the most frequent cleaned training caption; the first of several.

    Raises:
        DatasetError: there are no training captions.
    """
    counts = Counter(clean(text) for photo in dataset.split("train") for text in photo.captions)
    if not counts:
        raise DatasetError(f"{dataset.name} has no training captions, so none is the commonest.")
    return counts.most_common(1)[0][0]


def blind_caption(captioner: "Captioner", decoding: DecodingConfig | None = None) -> str:
    """Return the decoder's caption of a uniformly grey photo.

    Raises:
        WeightsError: the encoder's weights cannot be found or downloaded.
    """
    return captioner.describe(captioner.blank_features, decoding)[0].text


def shuffled_captions(captions: Sequence[str]) -> list[str]:
    """Return the captions in another order, in which none keeps its place unless it is alone."""
    order = np.random.default_rng(0).permutation(len(captions))
    # Giving each caption to the next photo of a random order moves all of them.
    given = [""] * len(captions)
    for giver, taker in zip(order, np.roll(order, 1), strict=True):
        given[taker] = captions[giver]
    return given


def nearest_captions(
    captioner: "Captioner",
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    *,
    on_progress: ProgressCallback = lambda done, total: None,
) -> list[str]:
    """Return for each photo the first caption of the most similar training photo.

    Photos are compared by the cosine of their features, averaged over the regions; a photo is
    never its own neighbour.

    Raises:
        DatasetError: there are no training photos with captions, or just one.
    """
    training = [photo for photo in dataset.split("train") if photo.captions]
    if len(training) < 2:
        raise DatasetError(f"{dataset.name} has too few training photos to find the nearest one.")
    everything = [*training, *photos]
    unit_vectors: list[np.ndarray] = []
    for features in captioner.look(dataset, everything, batch=100):
        unit_vectors.extend(pooled(features))
        on_progress(len(unit_vectors), len(everything))
    vectors = np.array(unit_vectors)
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
    hypothesis: Callable[[int, int], str],
) -> PhotoScores:
    """Average the scores over rounds; round n leaves out the n-th reference of each photo."""
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
            [names[photo] for photo in having],
            [hypothesis(photo, number) for photo in having],
            others,
        )
        photos = [place[photo] for photo in having]
        for name, rows in scores.rows.items():
            sums.setdefault(name, np.zeros((len(kept), rows.shape[1])))[photos] += rows
        rounds[photos] += 1
    averages = {name: rows / rounds for name, rows in sums.items()}
    return PhotoScores(tuple(names[photo] for photo in kept), averages)
