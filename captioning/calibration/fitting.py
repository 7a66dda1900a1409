"""Fitting a calibration: which photos are familiar to a model, how confident it may be.

Fitting runs the model; using a calibration needs only NumPy.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.calibration.confidence import (
    PREDICTORS,
    TINY,
    Calibration,
    Confidence,
    Familiarity,
    level_of,
    predictors_of,
)
from captioning.calibration.out_of_distribution import draw_oddities
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import DatasetError
from captioning.metrics import cider
from captioning.text import tokenize

if TYPE_CHECKING:
    from captioning.captioner import Captioner

SURE_GOOD, UNSURE_GOOD = 0.80, 0.20
"""Share of good captions: at least the first among the "sure", at most the second among the
"not sure".  On captions that did not choose the bounds, a level is some hundredths worse
(`CalibrationReport.levels`); three in four and one in four are what should remain."""

PARTITIONS = 5
"""Number of partitions of the captions in which the levels are judged."""

FOLDS = 5
"""Number of parts, each judged by a curve that was fitted to the others."""

SMALLEST = 0.17
"""The smallest share of the captions that a level holds; on other captions, about 0.15."""


@dataclass(frozen=True)
class LevelReport:
    """The levels on captions that neither the curve nor the levels were fitted on.

    Attributes:
        sure: share of captions that are "sure", and the share of good ones among them.
        fairly_sure: the same for "fairly sure".
        not_sure: the same for "not sure".
    """

    sure: tuple[float, float]
    fairly_sure: tuple[float, float]
    not_sure: tuple[float, float]


def cross_fitted(
    values: np.ndarray, good: np.ndarray, counts: np.ndarray, *, seed: int
) -> np.ndarray:
    """Return the confidence `(N,)` of each caption from a curve that was fitted without it."""
    fold = np.random.default_rng(seed).permutation(len(values)) % FOLDS
    found = np.empty(len(values))
    for part in range(FOLDS):
        rest, here = fold != part, fold == part
        curve = Confidence.fit(values[rest], good[rest], sample_weight=counts[rest])
        found[here] = curve.of_familiar(values[here])
    return found


def fit_levels(confidence: np.ndarray, good: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return the confidence below which a caption is "not sure", and from which it is "sure".

    "Sure" begins at the lowest confidence at which `SURE_GOOD` of its captions are good; "not
    sure" ends at the highest at which at most `UNSURE_GOOD` are.  A level that cannot reach this
    holds the `SMALLEST` share of the captions, which comes closest.

    Args:
        confidence: `(N,)`, of each caption.
        good: `(N,)`, whether the caption is good.
        counts: `(N,)`, its weight.
    """
    order = np.argsort(confidence)
    ranked, weight, right = confidence[order], counts[order], (good * counts)[order]
    below = np.cumsum(weight) / weight.sum()  # share of captions up to here
    good_below = np.cumsum(right) / np.cumsum(weight)
    above = 1 - below + weight / weight.sum()  # share from here on
    good_above = np.cumsum(right[::-1])[::-1] / np.cumsum(weight[::-1])[::-1]
    # Each level leaves the smallest share to each of the others.
    tops = np.flatnonzero((above >= SMALLEST) & (above <= 1 - 2 * SMALLEST))
    sure = next((i for i in tops if good_above[i] >= SURE_GOOD), tops[-1])
    first = int(np.argmax(below >= SMALLEST))
    bottoms = first + np.flatnonzero(below[first:] <= 1 - above[sure] - SMALLEST)
    unsure = next((i for i in bottoms[::-1] if good_below[i] <= UNSURE_GOOD), first)
    return float(np.nextafter(ranked[unsure], 1)), float(ranked[sure])


def level_report(
    values: np.ndarray, good: np.ndarray, familiar: np.ndarray, counts: np.ndarray, *, seed: int
) -> LevelReport:
    """Fit curve and levels on nine tenths of the captions, and apply them to the others.

    This is repeated for `PARTITIONS` partitions, since one of them alone says little.
    """
    number = {"sure": 0, "fairly sure": 1, "not sure": 2}
    held, right = np.zeros(3), np.zeros(3)
    for draw in range(PARTITIONS):
        fold = np.random.default_rng([seed, draw]).permutation(len(values)) % 10
        for part in range(10):
            rest, here = fold != part, np.flatnonzero(fold == part)
            fitted = cross_fitted(values[rest], good[rest], counts[rest], seed=seed)
            levels = fit_levels(fitted, good[rest], counts[rest])
            curve = Confidence.fit(values[rest], good[rest], sample_weight=counts[rest])
            for row, share in zip(here, curve.of_familiar(values[here]), strict=True):
                at = number[level_of(share, levels, familiar=bool(familiar[row]))]
                held[at] += counts[row]
                right[at] += counts[row] * good[row]
    shares = zip(held / held.sum(), right / np.maximum(held, TINY), strict=True)
    return LevelReport(*((float(share), float(part)) for share, part in shares))


def area_under_risk_coverage(confidence: np.ndarray, good: np.ndarray, counts: np.ndarray) -> float:
    """Return the mean share of bad captions over all coverages, 0 to 1; lower is better.

    A coverage keeps the captions with the highest confidence (El-Yaniv and Wiener 2010,
    https://jmlr.org/papers/v11/el-yaniv10a.html).
    """
    order = np.argsort(-confidence)
    weight = counts[order]
    risk = np.cumsum((1.0 - good[order]) * weight) / np.cumsum(weight)
    return float(np.average(risk, weights=weight))


GOOD = 0.5
"""The CIDEr-D from which a caption counts as good."""

FLAGGED = 0.02
"""Share of dev photos that count as unfamiliar.  Captions of the most unusual dev photos are good
as often as others, so a larger share would doubt good captions; odd pictures are far beyond it."""

SEED = 1
"""Of the odd pictures and of the split of the dev photos.  Odd pictures of seed 0 helped to choose
the figures of `Familiarity`."""

MOST_TRAINING_PHOTOS = 1200
"""The largest number of training photos used per data set."""


@dataclass(frozen=True)
class CalibrationReport:
    """A calibration and its figures on dev photos.

    With several data sets, each has the weight of the square root of its number of photos.

    Attributes:
        calibration: what is stored with the model.
        good: share of dev captions that are good.
        mean_confidence: over the dev captions, each from a curve fitted without it.
        risk_coverage: area under their risk-coverage curve, 0 to 1; lower is better.
        levels: the captions of each level.
        flagged: share of dev photos that are unfamiliar.
        odd_flagged: share of odd pictures that are unfamiliar, by kind.
    """

    calibration: Calibration
    good: float
    mean_confidence: float
    risk_coverage: float
    levels: LevelReport
    flagged: float
    odd_flagged: dict[str, float]

    @property
    def all_odd_flagged(self) -> float:
        """Share of all odd pictures that are unfamiliar."""
        return float(np.mean(list(self.odd_flagged.values())))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, rounded."""
        shares = {name: round(share, 3) for name, share in self.odd_flagged.items()}
        return {
            "good_from_cider": GOOD * 100,
            "dev_good": round(self.good, 3),
            "dev_mean_confidence": round(self.mean_confidence, 3),
            "dev_risk_coverage": round(self.risk_coverage, 3),
            "dev_levels": {
                name: {"share": round(share, 3), "good": round(good, 3)}
                for name, (share, good) in asdict(self.levels).items()
            },
            "dev_unfamiliar": round(self.flagged, 3),
            "odd_unfamiliar": round(self.all_odd_flagged, 3),
            "odd_unfamiliar_by_kind": shares,
        }


def calibrate(
    captioner: "Captioner",
    datasets: CaptionDataset | Sequence[CaptionDataset],
    *,
    odd_pictures: int = 20,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrationReport:
    """Fit the calibration of a model; the test split is not read.

    Args:
        captioner: the model; its default decoding is used.
        datasets: the data sets it was trained on, one or several.
        odd_pictures: pictures drawn per kind, to measure how many of them count as unfamiliar.
            Nothing is fitted on them.
        on_progress: called with the number of photos done and of all.

    Raises:
        DatasetError: there are too few training or dev photos with captions.
        ImageError, WeightsError: as `Captioner.look`.
    """
    if isinstance(datasets, CaptionDataset):
        datasets = [datasets]
    train = [_spread([p for p in d.split("train") if p.captions]) for d in datasets]
    dev = [[p for p in d.split("dev") if p.captions] for d in datasets]
    for dataset, some, others in zip(datasets, train, dev, strict=True):
        if min(len(some), len(others)) < 10:
            raise DatasetError(
                f"{dataset.name} has {len(some)} training and {len(others)} dev photos with "
                "captions; calibration needs at least ten of each."
            )
    seen, total = 0, sum(map(len, (*train, *dev)))
    usual = []
    for dataset, photos in zip(datasets, train, strict=True):
        for features in captioner.look(dataset, photos):
            usual.append(features.astype(np.float16))  # as they are stored
            seen += len(features)
            on_progress(seen, total)
    familiarity = Familiarity.fit(usual)
    values, good, counts = [], [], []
    for dataset, photos in zip(datasets, dev, strict=True):
        found, right = _observed(captioner, dataset, photos, familiarity)
        values.append(found)
        good.append(right)
        # By the square root: a small set is not drowned by a large one, nor its noise fitted.
        counts.append(np.full(len(right), len(right) ** -0.5))
        seen += len(right)
        on_progress(seen, total)
    data = {
        "data": "+".join(dataset.name for dataset in datasets),
        "train": sum(map(len, train)),
        "dev": sum(map(len, dev)),
    }
    weight = np.concatenate(counts)
    weight *= len(weight) / weight.sum()
    report = _fitted(familiarity, np.concatenate(values), np.concatenate(good), weight)
    calibration = replace(report.calibration, blank=captioner.blank_features)
    odd = _flagged_oddities(captioner, odd_pictures, calibration)
    report = replace(report, calibration=calibration, odd_flagged=odd)
    return replace(report, calibration=replace(calibration, facts={**data, **report.to_dict()}))


def _spread(photos: list[Photo]) -> list[Photo]:
    """Return at most `MOST_TRAINING_PHOTOS` of the photos, at equal distances."""
    return photos[:: -(-len(photos) // MOST_TRAINING_PHOTOS)] if photos else []


def _observed(
    captioner: "Captioner", dataset: CaptionDataset, photos: list[Photo], familiarity: Familiarity
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predictors of each photo's caption, `(N, P)`, and whether it is good, `(N,)`."""
    values: list[np.ndarray] = []
    captions: list[str] = []
    for features in captioner.look(dataset, photos):
        for text, seen in captioner.observe(features, familiarity):
            values.append(predictors_of(seen))
            captions.append(text)
    references = [[tokenize(text) for text in photo.captions] for photo in photos]
    scores = cider([tokenize(text) for text in captions], references).per_image
    return np.stack(values), np.asarray(scores) >= GOOD


def _flagged_oddities(
    captioner: "Captioner", count: int, calibration: Calibration
) -> dict[str, float]:
    """Return the share of odd pictures that are unfamiliar, by kind."""
    flags: dict[str, list[bool]] = {}
    for kind, picture in draw_oddities(count, seed=SEED):
        strangeness = calibration.familiarity.strangeness(captioner.encode([picture]))
        flags.setdefault(kind, []).append(bool(strangeness[0] > calibration.limit))
    return {kind: float(np.mean(found)) for kind, found in flags.items()}


def _fitted(
    familiarity: Familiarity, values: np.ndarray, good: np.ndarray, counts: np.ndarray
) -> CalibrationReport:
    """Fit to dev captions; odd pictures, the data and the grey photo are missing."""
    names = tuple(PREDICTORS)
    strange = values[:, names.index("strangeness")]
    limit = float(np.quantile(strange, 1 - FLAGGED))
    familiar = strange <= limit
    judged = cross_fitted(values, good, counts, seed=SEED)
    confidence = Confidence.fit(values, good, predictors=names, sample_weight=counts)
    levels = fit_levels(judged, good, counts)
    return CalibrationReport(
        Calibration(familiarity, confidence, limit, facts={}, levels=levels),
        good=float(np.average(good, weights=counts)),
        mean_confidence=float(np.average(judged, weights=counts)),
        risk_coverage=area_under_risk_coverage(judged, good, counts),
        levels=level_report(values, good, familiar, counts, seed=SEED),
        flagged=float(np.mean(~familiar)),
        odd_flagged={},
    )
