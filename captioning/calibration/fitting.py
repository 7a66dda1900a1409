"""Calibrating a model: which photos are familiar to it, and how sure it may be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.calibration.confidence import Calibration, Confidence, Familiarity, signs_of
from captioning.calibration.out_of_distribution import draw_oddities
from captioning.datasets import CaptionDataset
from captioning.errors import DatasetError
from captioning.metrics import cider
from captioning.text import tokenize

if TYPE_CHECKING:
    from captioning.captioner import Caption, Captioner

__all__ = ["GOOD", "CalibrationReport", "calibrate"]

GOOD = 0.5
"""CIDEr-D from which on a caption counts as good."""

FLAGGED = 0.04
"""Share of dev photos that the limit lets pass for unfamiliar."""

MOST_TRAINING_PHOTOS = 1200


@dataclass(frozen=True)
class CalibrationReport:
    """How a calibration does.

    Attributes:
        calibration: what is kept with the model.
        good: share of dev captions that are good.
        mean_confidence: over the dev captions, each judged by a curve fitted on the other half.
        flagged: share of dev photos that are unfamiliar.
        odd_flagged: share of odd pictures that are, by kind.
    """

    calibration: Calibration
    good: float
    mean_confidence: float
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
            "dev_unfamiliar": round(self.flagged, 3),
            "odd_unfamiliar": round(self.all_odd_flagged, 3),
            "odd_unfamiliar_by_kind": shares,
        }


def calibrate(
    captioner: "Captioner",
    dataset: CaptionDataset,
    *,
    odd_pictures: int = 20,
    seed: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrationReport:
    """Fit what a model may know of itself; the test split is not read.

    Args:
        captioner: the model, with its usual decoding.
        dataset: what it learned from.
        odd_pictures: how many of each kind are shown to it, to see whether it knows them for odd.
            Nothing is fitted on them; those of seed 0 helped to choose the figures of
            `Familiarity`, so another seed is the usual one.
        seed: draws these, and halves the dev photos.
        on_progress: told photos done and in all.

    Raises:
        DatasetError: there are too few training or dev photos with captions.
        ImageError, WeightsError: as `Captioner.look`.
    """
    train = [photo for photo in dataset.split("train") if photo.captions][:MOST_TRAINING_PHOTOS]
    dev = [photo for photo in dataset.split("dev") if photo.captions]
    if min(len(train), len(dev)) < 10:
        raise DatasetError(
            f"{dataset.name} has {len(train)} training and {len(dev)} dev photos with captions; "
            "calibrating needs at least ten of each."
        )
    usual, total = [], len(train) + len(dev)
    for features in captioner.look(dataset, train):
        usual.append(features.astype(np.float16))  # as they are stored
        on_progress(sum(map(len, usual)), total)
    familiarity = Familiarity.fit(usual)
    captions: list[Caption] = []
    strange: list[float] = []
    for features in captioner.look(dataset, dev):
        captions += captioner.describe(features)
        strange += familiarity.strangeness(features).tolist()
        on_progress(len(train) + len(captions), total)
    logs = [np.array([word.log_prob for word in caption.words]) for caption in captions]
    signs = np.stack([signs_of(*pair) for pair in zip(logs, strange, strict=True)])
    references = [[tokenize(text) for text in photo.captions] for photo in dev]
    scores = cider([tokenize(caption.text) for caption in captions], references).per_image
    good = np.asarray(scores) >= GOOD
    limit = float(np.quantile(strange, 1 - FLAGGED))
    report = CalibrationReport(
        Calibration(familiarity, Confidence.fit(signs, good), limit, {}),
        good=float(good.mean()),
        mean_confidence=_held_out_mean(signs, good, np.asarray(strange) <= limit, seed),
        flagged=float(np.mean(np.asarray(strange) > limit)),
        odd_flagged=_odd_flagged(captioner, familiarity, limit, odd_pictures, seed),
    )
    facts = {"data": dataset.name, "train": len(train), "dev": len(dev), **report.to_dict()}
    kept = report.calibration
    return CalibrationReport(
        Calibration(familiarity, kept.confidence, limit, facts),
        **{name: value for name, value in vars(report).items() if name != "calibration"},
    )


def _held_out_mean(signs: np.ndarray, good: np.ndarray, familiar: np.ndarray, seed: int) -> float:
    """Judge each half of the sentences by a curve that was fitted on the other."""
    half = np.random.default_rng(seed).permutation(len(signs)) % 2
    judged = []
    for part in (0, 1):
        curve = Confidence.fit(signs[half != part], good[half != part])
        here = half == part
        judged += [
            curve(sign, bool(f)) for sign, f in zip(signs[here], familiar[here], strict=True)
        ]
    return float(np.mean(judged))


def _odd_flagged(
    captioner: "Captioner", familiarity: Familiarity, limit: float, count: int, seed: int
) -> dict[str, float]:
    flags: dict[str, list[bool]] = {}
    for kind, picture in draw_oddities(count, seed=seed):
        strangeness = familiarity.strangeness(captioner.encode([picture]))
        flags.setdefault(kind, []).append(bool(strangeness[0] > limit))
    return {kind: float(np.mean(found)) for kind, found in flags.items()}
