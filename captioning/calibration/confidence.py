"""What a model knows of itself: how like its training a photo is, and how sure it may be.

NumPy alone, so that it can be read and tested without a network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from captioning.errors import BundleError

__all__ = ["Calibration", "Confidence", "Familiarity", "Judgement", "Level"]

Level = Literal["sure", "fairly sure", "not sure"]
"""What people read instead of a number."""

USUAL_LEVELS = (0.35, 0.65)
"""Of a calibration that has none: below the first "not sure", from the second on "sure"."""

COMPONENTS = 64
REGIONS = 12_000
"""Regions from which the directions of largest variation are computed."""
TINY = 1e-6


@dataclass(frozen=True)
class Familiarity:
    """How far photos lie from those of training, measured on the encoder's features.

    Each region is compared with the regions of training photos: its distance along the directions
    in which those vary most, in units of that variation, and the rest, outside of them (Ndiour et
    al. 2020, https://arxiv.org/abs/2012.04250).  A photo is then five figures: the mean and the
    spread of both over its regions, and how like its regions are to each other (a blank page is
    the same everywhere).  How unusual these figures are together is Mahalanobis'
    distance (Lee et al. 2018, https://arxiv.org/abs/1807.03888).

    Attributes:
        mean: `(D,)`, of the regions of training photos.
        scale: `(D,)`, their standard deviation.
        components: `(D, C)`, directions of largest variation, of length 1.
        variances: `(C,)`, along them.
        usual: `(F,)`, the mean of each figure over training photos.
        precision: `(F, F)`, the inverse of the figures' covariance.
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    usual: np.ndarray
    precision: np.ndarray

    @classmethod
    def fit(cls, batches: Sequence[np.ndarray]) -> Self:
        """Learn what is usual.

        Args:
            batches: features of training photos, each `(B, R, D)` or `(B, D)`.
        """
        regions = np.concatenate([as_regions(b).reshape(-1, b.shape[-1]) for b in batches])
        sample = regions[:: max(1, len(regions) // REGIONS)].astype(np.float32)
        mean, scale = sample.mean(axis=0), sample.std(axis=0) + TINY
        standard = (sample - mean) / scale
        values, directions = np.linalg.eigh(standard.T @ standard / len(sample))
        kept = np.argsort(values)[::-1][: min(COMPONENTS, max(1, len(values) // 2))]
        new = cls(mean, scale, directions[:, kept], values[kept] + TINY, mean[:0], mean[:0])
        figures = np.concatenate([new.figures(batch) for batch in batches])
        covariance = np.atleast_2d(np.cov(figures.T)) + TINY * np.eye(figures.shape[1])
        learned = {"usual": figures.mean(axis=0), "precision": np.linalg.inv(covariance)}
        arrays = {**new.arrays(), **learned}
        return cls(**{name: value.astype(np.float32) for name, value in arrays.items()})

    def strangeness(self, features: np.ndarray) -> np.ndarray:
        """Tell how unusual photos are; photos like those of training lie around 1.

        Args:
            features: `(B, R, D)` or `(B, D)`.

        Returns:
            float32 `(B,)`.
        """
        off = self.figures(features) - self.usual
        squared = np.einsum("bi,ij,bj->b", off, self.precision, off) / len(self.usual)
        strange: np.ndarray = np.sqrt(np.maximum(squared, 0.0)).astype(np.float32)
        return strange

    def figures(self, features: np.ndarray) -> np.ndarray:
        """Sum photos up in a few figures, float64 `(B, 5)`, or `(B, 2)` for pooled features."""
        regions = as_regions(features).astype(np.float64)
        standard = (regions - self.mean) / self.scale
        along = standard @ self.components
        within = np.log((np.square(along) / self.variances).mean(axis=2) + TINY)
        rest = np.square(standard).sum(axis=2) - np.square(along).sum(axis=2)
        outside = np.log(np.maximum(rest, TINY))
        means = [within.mean(axis=1), outside.mean(axis=1)]
        if regions.shape[1] == 1:
            return np.stack(means, axis=1)
        spreads = [within.std(axis=1), outside.std(axis=1)]
        return np.stack([*means, *spreads, np.log(1.001 - _kin(regions))], axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        return dict(vars(self))


def as_regions(features: np.ndarray) -> np.ndarray:
    """Return features `(B, R, D)`; pooled ones `(B, D)` become a single region."""
    return features[:, None] if features.ndim == 2 else features


def _kin(regions: np.ndarray) -> np.ndarray:
    """Return the mean cosine `(B,)` of each region with the third most like it of its photo."""
    directions = regions / (np.linalg.norm(regions, axis=2, keepdims=True) + TINY)
    cosines = np.einsum("brd,bsd->brs", directions, directions, optimize=True)
    itself = np.arange(cosines.shape[1])
    cosines[:, itself, itself] = -1.0
    third: np.ndarray = np.sort(cosines, axis=2)[:, :, -min(3, len(itself) - 1)].mean(axis=1)
    return third


@dataclass(frozen=True)
class Confidence:
    """How often sentences were good of which the model was so sure, a logistic curve.

    Attributes:
        weights: `(4,)`; a constant, and what multiplies each sign of `signs`.
        doubt: the most that an unfamiliar photo's sentence is given.
    """

    weights: tuple[float, ...]
    doubt: float

    @classmethod
    def fit(cls, signs: np.ndarray, good: np.ndarray, *, penalty: float = 1.0) -> Self:
        """Fit by Newton's method.

        Args:
            signs: `(N, 3)`, as `signs_of` returns for each sentence.
            good: `(N,)`, whether it was.
            penalty: of large weights; keeps them finite where signs tell the two apart wholly.
        """
        inputs = np.concatenate([np.ones((len(signs), 1)), signs], axis=1)
        weights = np.zeros(inputs.shape[1])
        ridge = penalty * np.eye(inputs.shape[1])
        ridge[0, 0] = 0.0
        for _ in range(50):
            share = _logistic(inputs @ weights)
            slope = inputs.T @ (good - share) - ridge @ weights
            curve = (inputs * (share * (1 - share))[:, None]).T @ inputs + ridge
            step = np.linalg.solve(curve + TINY * np.eye(len(curve)), slope)
            weights += step
            if np.abs(step).max() < 1e-9:
                break
        least = np.quantile(_logistic(inputs @ weights), 0.1)
        return cls(tuple(float(weight) for weight in weights), float(least))

    def __call__(self, signs: np.ndarray, familiar: bool = True) -> float:
        """Return the share of sentences with such signs that were good, 0 to 1."""
        share = float(_logistic(self.weights[0] + np.asarray(signs) @ self.weights[1:]))
        return share if familiar else min(share, self.doubt)


STRANGEST = 3.0
"""No usual photo is stranger; beyond it the logistic curve has nothing to go by."""


def signs_of(log_probs: np.ndarray, strangeness: float) -> np.ndarray:
    """Return what confidence is read from, `(3,)`.

    Args:
        log_probs: of a sentence's words, natural logarithms.
        strangeness: of its photo.

    Returns:
        Mean log-probability of its words, that of the least likely one, and strangeness, kept
        within the range of usual photos.
    """
    if not len(log_probs):
        return np.array([-10.0, -10.0, STRANGEST])
    return np.array([np.mean(log_probs), np.min(log_probs), min(strangeness, STRANGEST)])


class Judgement(NamedTuple):
    """What a model thinks of one caption.

    Attributes:
        confidence: how likely the caption is good, 0 to 1.
        familiar: whether the photo is like those of training.
        level: the same in a word; a caption of an unfamiliar photo is "not sure".
    """

    confidence: float
    familiar: bool
    level: Level


@dataclass(frozen=True)
class Calibration:
    """All that a bundle stores to judge its own sentences.

    Attributes:
        familiarity: of photos.
        confidence: in sentences.
        limit: a stranger photo is unfamiliar.
        facts: what it was fitted on, and what it does there.
        levels: confidence below the first is "not sure", from the second on "sure".
    """

    familiarity: Familiarity
    confidence: Confidence
    limit: float
    facts: Mapping[str, Any]
    levels: tuple[float, float] = USUAL_LEVELS

    def judge(self, log_probs: np.ndarray, strangeness: float) -> Judgement:
        """Judge a caption by its words' log-probabilities and its photo's strangeness."""
        familiar = bool(strangeness <= self.limit)
        confidence = self.confidence(signs_of(log_probs, strangeness), familiar)
        return Judgement(confidence, familiar, self.level(confidence, familiar))

    def level(self, confidence: float, familiar: bool = True) -> Level:
        """Put a confidence into a word."""
        low, high = self.levels
        if not familiar or confidence < low:
            return "not sure"
        return "sure" if confidence >= high else "fairly sure"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, all but the arrays."""
        return {
            "limit": self.limit,
            "weights": list(self.confidence.weights),
            "doubt": self.confidence.doubt,
            "levels": list(self.levels),
            **self.facts,
        }

    @classmethod
    def from_parts(
        cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, source: str
    ) -> Self:
        """Put together what a bundle stored.

        Raises:
            BundleError: something is missing, of another shape, or not a finite number.
        """
        facts = dict(content)
        try:
            weights = tuple(float(weight) for weight in facts.pop("weights"))
            limit, doubt = float(facts.pop("limit")), float(facts.pop("doubt"))
            low, high = (float(level) for level in facts.pop("levels", USUAL_LEVELS))
            found = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
            familiarity = Familiarity(**found)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{source}: {error!s} is missing or wrong.") from error
        numbers = [np.array([limit, doubt, low, high, *weights]), *found.values()]
        channels, *rest = familiarity.components.shape
        kept = rest[0] if len(rest) == 1 else -1
        figures = familiarity.usual.shape
        shapes = [familiarity.mean.shape, familiarity.scale.shape, familiarity.variances.shape]
        shapes.append(familiarity.precision.shape)
        if not all(np.isfinite(value).all() for value in numbers):
            raise BundleError(f"{source} holds numbers that are not finite.")
        if (
            len(weights) != 4
            or figures not in ((2,), (5,))
            or shapes != [(channels,), (channels,), (kept,), figures * 2]
        ):
            raise BundleError(f"{source}: the arrays do not fit together.")
        return cls(familiarity, Confidence(weights, doubt), limit, facts, (low, high))


def _logistic(value: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(value, -50.0, 50.0)))
