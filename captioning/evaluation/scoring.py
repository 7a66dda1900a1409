"""Scoring a model on a split: captions, scores over the split and per photo, and variety."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import ConfigError, DatasetError
from captioning.metrics import METRICS, CaptionScores, metric_rows, score_captions
from captioning.text import clean, tokenize

if TYPE_CHECKING:
    from captioning.captioner import Captioner

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
    """The scores of a model on a split, and the scored captions.

    Attributes:
        model: the bundle's name.
        data: the data set's name.
        split: which split.
        decoding: how the captions were chosen.
        scores: x100.
        captions: by photo name.
        seconds: duration of captioning.
    """

    model: str
    data: str
    split: str
    decoding: DecodingConfig
    scores: CaptionScores
    captions: dict[str, str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the captions."""
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
    neutral_words: bool = False,
    detail_certainty: float = 0.0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Caption every photo of a split and score the captions.

    Args:
        captioner: the model.
        dataset: the photos and their references.
        split: "train", "dev" or "test".
        decoding: how to search; by default the bundle's settings.
        neutral_words: score captions without the genders below `gender_certainty`.
        detail_certainty: score captions without the details below it; 0 scores all words.
        on_progress: called with the number of photos done and of all after each batch; an
            exception that it raises ends the evaluation.

    Raises:
        DatasetError: the split has no photos, or is unknown.
        ImageError: a photo cannot be read and has no stored features.
        WeightsError: the features are not stored and the encoder's weights cannot be loaded.
    """
    photos = dataset.split(split)
    if not photos:
        raise DatasetError(f"{dataset.name} has no {split} photos to score on.")
    decoding = decoding or captioner.bundle.decoding
    begun = time.monotonic()
    captions: dict[str, str] = {}
    for written in caption_photos(
        captioner,
        dataset,
        photos,
        decoding,
        neutral_words=neutral_words,
        detail_certainty=detail_certainty,
    ):
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
        split: which split.
        decoding: the settings of the search.
        captions: one for each photo of the split, by name.
        seconds: duration of captioning.
    """
    hypotheses = [captions[photo.name] for photo in dataset.split(split)]
    return Evaluation(
        model=model,
        data=dataset.name,
        split=split,
        decoding=decoding,
        scores=score_captions(hypotheses, dataset.references(split)),
        captions=dict(captions),
        seconds=seconds,
    )


def caption_photos(
    captioner: "Captioner",
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    decoding: DecodingConfig | None = None,
    *,
    neutral_words: bool = False,
    detail_certainty: float = 0.0,
) -> Iterator[dict[str, str]]:
    """Caption photos of a data set in batches.

    Between two batches other callers of the model are served, and the caller may stop.

    Args:
        captioner: the model.
        dataset: the data set.
        photos: the photos to caption.
        decoding: how to search; by default the bundle's settings.
        neutral_words: leave out genders below `gender_certainty`, as in sentences for people.
        detail_certainty: leave out details below it; 0 keeps all words.

    Yields:
        The captions of a batch by photo name, in the order of `photos`.

    Raises:
        ImageError: a photo cannot be read and has no stored features.
        WeightsError: the features are not stored and the encoder's weights cannot be loaded.
    """
    starts = range(0, len(photos), BATCH)
    own_words = not neutral_words and not detail_certainty
    if decoding is not None:
        gender_certainty = decoding.gender_certainty if neutral_words else 0.0
        decoding = decoding.replace(
            gender_certainty=gender_certainty, detail_certainty=detail_certainty
        )
    for start, features in zip(starts, captioner.look(dataset, photos, batch=BATCH), strict=True):
        written = captioner.describe(features, decoding)
        names = [photo.name for photo in photos[start : start + BATCH]]
        texts = [c.text if own_words else c.neutral or c.text for c in written]
        yield dict(zip(names, texts, strict=True))


@dataclass(frozen=True, eq=False)
class PhotoScores:
    """The scores of N photos, each by itself.

    Corpus BLEU is not a mean over photos, but its counts are sums over photos; ROUGE-L and CIDEr-D
    are means.  So the score of any collection of photos is computed from sums of rows.

    Attributes:
        names: the photos.
        rows: for each metric its statistics, `(N, C)`, as defined by its entry in `METRICS`.  The
            document frequencies of CIDEr-D are those of all N photos' references, also for a
            collection of some of them.
    """

    names: tuple[str, ...]
    rows: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.names)

    @cached_property
    def figures(self) -> dict[str, float]:
        """Each metric over all photos, x100."""
        once = np.ones((1, len(self)))
        return {name: float(values[0]) for name, values in self.weighted(once).items()}

    def weighted(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Score collections that contain each photo any number of times.

        Args:
            weights: how often each photo occurs in each of S collections, `(S, N)`.

        Returns:
            For each metric the scores x100, float64 `(S,)`.
        """
        photos = weights.sum(axis=1)
        return {
            name: METRICS[name].of_sums(weights @ rows, photos) for name, rows in self.rows.items()
        }

    def per_photo(self, name: str) -> np.ndarray:
        """Return a metric of each photo by itself, x100, float64 `(N,)`."""
        return METRICS[name].of_sums(self.rows[name], np.ones(len(self)))

    def best_first(self) -> np.ndarray:
        """Return the indices of the photos, sorted by CIDEr-D, then ROUGE-L, the best first."""
        order: np.ndarray = np.lexsort((-self.per_photo("rouge_l"), -self.per_photo("cider")))
        return order


def score_photos(
    names: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> PhotoScores:
    """Score each photo's caption against the photo's references.

    Args:
        names: of the photos.
        hypotheses: a caption for each photo, as text.
        references: for each photo its reference captions, as text.

    Raises:
        ConfigError: there is no photo, a photo has no reference, or the lengths differ.
    """
    if len(names) != len(hypotheses):
        raise ConfigError(f"There are {len(hypotheses)} captions for {len(names)} photos.")
    hypothesis_words = [tokenize(text) for text in hypotheses]
    reference_words = [[tokenize(text) for text in texts] for texts in references]
    return PhotoScores(tuple(names), metric_rows(hypothesis_words, reference_words))


@dataclass(frozen=True)
class Variety:
    """Figures about N captions as sentences.

    Attributes:
        mean_length: words in a caption.
        vocabulary: different words in all of them.
        distinct: number of different captions divided by N; 1 if no two photos have the same.
        copied: share of captions that are equal to a training caption, 0 to 1.
    """

    mean_length: float
    vocabulary: int
    distinct: float
    copied: float

    def to_dict(self) -> dict[str, float | int]:
        """Return plain data."""
        return asdict(self)


def caption_variety(captions: Sequence[str], training: Collection[str]) -> Variety:
    """Measure the variety of captions.

    Args:
        captions: as text, at least one.
        training: cleaned captions of the training photos, as `training_texts` returns them.
    """
    sentences = [tokenize(caption) for caption in captions]
    texts = [" ".join(words) for words in sentences]
    return Variety(
        mean_length=sum(map(len, sentences)) / len(sentences),
        vocabulary=len({word for words in sentences for word in words}),
        distinct=len(set(texts)) / len(texts),
        copied=sum(text in training for text in texts) / len(texts),
    )


def training_texts(dataset: CaptionDataset) -> frozenset[str]:
    """Return the set of cleaned captions of the training photos."""
    return frozenset(clean(text) for photo in dataset.split("train") for text in photo.captions)
