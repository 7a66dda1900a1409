"""Calibrating a model: which photos are familiar to it, and how sure it may be."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.calibration.confidence import (
    PREDICTORS,
    Calibration,
    Confidence,
    predictors_of,
)
from captioning.calibration.familiarity import Familiarity
from captioning.calibration.levels import (
    LevelReport,
    area_under_risk_coverage,
    cross_fitted,
    fit_levels,
    level_report,
)
from captioning.calibration.out_of_distribution import draw_oddities
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import DatasetError
from captioning.metrics import cider
from captioning.text import tokenize

if TYPE_CHECKING:
    from captioning.captioner import Captioner

__all__ = ["GOOD", "CalibrationReport", "calibrate"]

GOOD = 0.5
"""CIDEr-D from which on a caption counts as good."""

FLAGGED = 0.04
"""Share of dev photos that the limit lets pass for unfamiliar."""

MOST_TRAINING_PHOTOS = 1200
"""Of each data set."""


@dataclass(frozen=True)
class CalibrationReport:
    """How a calibration does on dev photos; with several data sets, each counts the same.

    Attributes:
        calibration: what is kept with the model.
        good: share of dev captions that are good.
        mean_confidence: over the dev captions, each judged by a curve fitted without it.
        risk_coverage: area under the risk-coverage curve, 0 to 1, of the same; lower is better.
        levels: what each level holds.
        flagged: share of dev photos that are unfamiliar.
        odd_flagged: share of odd pictures that are, by kind.
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
        """Plain data, rounded."""
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
    seed: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrationReport:
    """Fit what a model may know of itself; the test split is not read.

    Args:
        captioner: the model, with its usual decoding.
        datasets: what it learned from, one or several.
        odd_pictures: how many of each kind are shown to it, to see whether it recognizes them as
            odd.  Nothing is fitted on them; those of seed 0 helped to choose the figures of
            `Familiarity`, so another seed is the usual one.
        seed: draws these, and parts the dev photos.
        on_progress: called with the number of photos done and of all.

    Raises:
        DatasetError: there are too few training or dev photos with captions.
        ImageError, WeightsError: as `Captioner.look`.
    """
    if isinstance(datasets, CaptionDataset):
        datasets = [datasets]
    train = {d.name: _spread([p for p in d.split("train") if p.captions]) for d in datasets}
    dev = {d.name: [p for p in d.split("dev") if p.captions] for d in datasets}
    for name in train:
        if min(len(train[name]), len(dev[name])) < 10:
            raise DatasetError(
                f"{name} has {len(train[name])} training and {len(dev[name])} dev photos with "
                "captions; calibrating needs at least ten of each."
            )
    seen, total = 0, sum(len(photos) for part in (train, dev) for photos in part.values())
    usual = []
    for dataset in datasets:
        for features in captioner.look(dataset, train[dataset.name]):
            usual.append(features.astype(np.float16))  # as they are stored
            seen += len(features)
            on_progress(seen, total)
    familiarity = Familiarity.fit(usual)
    values, good, counts = [], [], []
    for dataset in datasets:
        found, right = _judged(captioner, dataset, dev[dataset.name], familiarity)
        values.append(found)
        good.append(right)
        counts.append(np.full(len(right), 1 / len(right)))
        seen += len(right)
        on_progress(seen, total)
    data = {
        "data": "+".join(train),
        "train": sum(map(len, train.values())),
        "dev": sum(map(len, dev.values())),
    }
    weight = np.concatenate(counts)
    weight *= len(weight) / weight.sum()
    odd = _OddPictures(captioner, odd_pictures, seed)
    return _fitted(familiarity, np.concatenate(values), np.concatenate(good), weight, data, odd)


def _spread(photos: list[Photo]) -> list[Photo]:
    """Return at most `MOST_TRAINING_PHOTOS`, evenly spread over all."""
    return photos[:: -(-len(photos) // MOST_TRAINING_PHOTOS)] if photos else []


def _judged(
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


@dataclass(frozen=True)
class _OddPictures:
    captioner: "Captioner"
    count: int
    seed: int

    def flagged(self, familiarity: Familiarity, limit: float) -> dict[str, float]:
        """Return the share of odd pictures that are unfamiliar, by kind."""
        flags: dict[str, list[bool]] = {}
        for kind, picture in draw_oddities(self.count, seed=self.seed):
            strangeness = familiarity.strangeness(self.captioner.encode([picture]))
            flags.setdefault(kind, []).append(bool(strangeness[0] > limit))
        return {kind: float(np.mean(found)) for kind, found in flags.items()}


def _fitted(
    familiarity: Familiarity,
    values: np.ndarray,
    good: np.ndarray,
    counts: np.ndarray,
    data: dict[str, Any],
    odd: _OddPictures,
) -> CalibrationReport:
    names = tuple(PREDICTORS)
    strange = values[:, names.index("strangeness")]
    limit = float(np.quantile(strange, 1 - FLAGGED))
    familiar = strange <= limit
    judged = cross_fitted(values, good, counts, seed=odd.seed)
    confidence = Confidence.fit(values, good, predictors=names, sample_weight=counts)
    calibration = Calibration(
        familiarity,
        confidence,
        limit,
        {},
        fit_levels(judged, good, counts),
        odd.captioner.blank_features,
    )
    report = CalibrationReport(
        calibration,
        good=float(np.average(good, weights=counts)),
        mean_confidence=float(np.average(judged, weights=counts)),
        risk_coverage=area_under_risk_coverage(judged, good, counts),
        levels=level_report(values, good, familiar, counts, seed=odd.seed),
        flagged=float(np.mean(~familiar)),
        odd_flagged=odd.flagged(familiarity, limit),
    )
    return replace(report, calibration=replace(calibration, facts={**data, **report.to_dict()}))
