"""Choosing where "not sure" ends and "sure" begins, and measuring what the levels are worth."""

from dataclasses import dataclass

import numpy as np

from captioning.calibration.confidence import Confidence

__all__ = ["LevelReport", "area_under_risk_coverage", "cross_fitted", "fit_levels", "level_report"]

SURE_GOOD, UNSURE_GOOD = 0.75, 0.25
"""Share of good captions that the top level has at least, and the bottom level at most."""

SMALLEST = 0.15
"""No level holds a smaller share of the captions."""


@dataclass(frozen=True)
class LevelReport:
    """How the levels do on captions that neither the curve nor the levels were fitted on.

    Attributes:
        sure: share of captions that are "sure", and the share of good ones among them.
        fairly_sure: likewise.
        not_sure: likewise.
    """

    sure: tuple[float, float]
    fairly_sure: tuple[float, float]
    not_sure: tuple[float, float]


def cross_fitted(
    values: np.ndarray, good: np.ndarray, counts: np.ndarray, *, seed: int, folds: int = 5
) -> np.ndarray:
    """Return the confidence `(N,)` of each caption by a curve that was fitted without it."""
    fold = np.random.default_rng(seed).permutation(len(values)) % folds
    found = np.empty(len(values))
    for part in range(folds):
        rest, here = fold != part, fold == part
        curve = Confidence.fit(values[rest], good[rest], sample_weight=counts[rest])
        found[here] = [curve(row) for row in values[here]]
    return found


def fit_levels(confidence: np.ndarray, good: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return below which confidence a caption is "not sure", and from which on it is "sure".

    "Sure" begins as low as it can while three in four of its captions are good, "not sure" ends
    as high as it can while at most one in four is.  Where a level cannot reach that, it holds the
    15% of captions that come nearest.

    Args:
        confidence: `(N,)`, of each caption.
        good: `(N,)`, whether it was.
        counts: `(N,)`, how much it counts.
    """
    order = np.argsort(confidence)
    ranked, weight, right = confidence[order], counts[order], (good * counts)[order]
    below = np.cumsum(weight) / weight.sum()  # share of captions up to here
    good_below = np.cumsum(right) / np.cumsum(weight)
    above = 1 - below + weight / weight.sum()  # share from here on
    good_above = np.cumsum(right[::-1])[::-1] / np.cumsum(weight[::-1])[::-1]
    # What a level takes leaves the smallest share to each of the others.
    tops = np.flatnonzero((above >= SMALLEST) & (above <= 1 - 2 * SMALLEST))
    sure = next((i for i in tops if good_above[i] >= SURE_GOOD), tops[-1])
    first = int(np.argmax(below >= SMALLEST))
    bottoms = first + np.flatnonzero(below[first:] <= 1 - above[sure] - SMALLEST)
    unsure = next((i for i in bottoms[::-1] if good_below[i] <= UNSURE_GOOD), first)
    return float(np.nextafter(ranked[unsure], 1)), float(ranked[sure])


def level_report(
    values: np.ndarray, good: np.ndarray, familiar: np.ndarray, counts: np.ndarray, *, seed: int
) -> LevelReport:
    """Fit curve and levels on one half of the captions, count on the other, and the reverse."""
    half = np.random.default_rng(seed).permutation(len(values)) % 2
    level = np.empty(len(values), int)  # 0 not sure, 1 fairly sure, 2 sure
    for part in (0, 1):
        rest, here = half != part, half == part
        fitted = cross_fitted(values[rest], good[rest], counts[rest], seed=seed)
        low, high = fit_levels(fitted, good[rest], counts[rest])
        curve = Confidence.fit(values[rest], good[rest], sample_weight=counts[rest])
        confidence = np.array([curve(row) for row in values[here]])
        level[here] = (confidence >= low).astype(int) + (confidence >= high)
    level[~familiar] = 0
    shares = [
        (
            float(counts[level == number].sum() / counts.sum()),
            float(np.average(good[level == number], weights=counts[level == number]))
            if np.any(level == number)
            else 0.0,
        )
        for number in (2, 1, 0)
    ]
    return LevelReport(*shares)


def area_under_risk_coverage(confidence: np.ndarray, good: np.ndarray, counts: np.ndarray) -> float:
    """Return the mean share of bad captions over all coverages, 0 to 1; lower is better.

    A coverage keeps the captions of the highest confidence (El-Yaniv and Wiener 2010,
    https://jmlr.org/papers/v11/el-yaniv10a.html).
    """
    order = np.argsort(-confidence)
    weight = counts[order]
    risk = np.cumsum((1.0 - good[order]) * weight) / np.cumsum(weight)
    return float(np.average(risk, weights=weight))
