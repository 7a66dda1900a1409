"""How familiar a photo is to a model, and how likely its caption is good.  Needs NumPy alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from captioning.errors import BundleError

COMPONENTS = 64
REGIONS = 12_000
"""Regions from which the directions of largest variation are computed."""
SCENE = 12
"""Directions along which a photo is described for the confidence; the first vary most."""
TINY = 1e-6


@dataclass(frozen=True)
class Familiarity:
    """How far photos are from the training photos, measured on the encoder's features.

    Each region is compared with the regions of training photos: its distance within the subspace
    of their largest variation, in units of that variation, and its distance from that subspace
    (Ndiour et al. 2020, https://arxiv.org/abs/2012.04250).  A photo is summarized by five figures:
    the mean and the spread of both over its regions, and the similarity of its regions to each
    other (a blank page is the same everywhere).  The Mahalanobis distance measures how unusual
    these figures are (Lee et al. 2018, https://arxiv.org/abs/1807.03888).

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
        """Fit to training photos.

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
        """Return how unusual photos are; photos like the training photos have about 1.

        Args:
            features: `(B, R, D)` or `(B, D)`.

        Returns:
            float32 `(B,)`.
        """
        off = self.figures(features) - self.usual
        squared = np.einsum("bi,ij,bj->b", off, self.precision, off) / len(self.usual)
        strange: np.ndarray = np.sqrt(np.maximum(squared, 0.0)).astype(np.float32)
        return strange

    def scene(self, features: np.ndarray) -> np.ndarray:
        """Return what photos show, in a few numbers: some kinds of scenes are captioned better.

        Args:
            features: `(B, R, D)` or `(B, D)`.

        Returns:
            float32 `(B, S)`, the mean of the regions along the directions of largest variation,
            in units of that variation; S is at most 12.
        """
        standard = (as_regions(features).astype(np.float32).mean(axis=1) - self.mean) / self.scale
        along: np.ndarray = standard @ self.components[:, :SCENE] / np.sqrt(self.variances[:SCENE])
        return along.astype(np.float32)

    def figures(self, features: np.ndarray) -> np.ndarray:
        """Summarize photos in a few figures, float64 `(B, 5)`, or `(B, 2)` for pooled features."""
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
        return np.stack([*means, *spreads, np.log(1.001 - _self_similarity(regions))], axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        return dict(vars(self))

    @property
    def fits_together(self) -> bool:
        """Whether the shapes of the arrays agree; those of a damaged bundle may not."""
        if self.components.ndim != 2:
            return False
        (channels, kept), figures = self.components.shape, self.usual.shape
        expected = [(channels,), (channels,), (kept,), figures * 2]
        found = (self.mean, self.scale, self.variances, self.precision)
        return figures in ((2,), (5,)) and [array.shape for array in found] == expected


def as_regions(features: np.ndarray) -> np.ndarray:
    """Return features `(B, R, D)`; pooled ones `(B, D)` become a single region."""
    return features[:, None] if features.ndim == 2 else features


def _self_similarity(regions: np.ndarray) -> np.ndarray:
    """Return the mean cosine `(B,)` of each region and the third most similar region."""
    directions = regions / (np.linalg.norm(regions, axis=2, keepdims=True) + TINY)
    cosines = np.einsum("brd,bsd->brs", directions, directions, optimize=True)
    itself = np.arange(cosines.shape[1])
    cosines[:, itself, itself] = -1.0
    third: np.ndarray = np.sort(cosines, axis=2)[:, :, -min(3, len(itself) - 1)].mean(axis=1)
    return third


Level = Literal["sure", "fairly sure", "not sure"]
"""The confidence in words."""


def level_of(confidence: float, levels: tuple[float, float], *, familiar: bool = True) -> Level:
    """Return a confidence in words: "not sure" below the first level, "sure" from the second on."""
    if not familiar or confidence < levels[0]:
        return "not sure"
    return "sure" if confidence >= levels[1] else "fairly sure"


USUAL_LEVELS = (0.35, 0.65)
"""Levels of a calibration without its own: below the first "not sure", from the second "sure"."""

STRANGEST = 3.0
"""The largest value used; usual photos stay below it, so the curve was not fitted beyond it."""


@dataclass(frozen=True)
class Observation:
    """What the confidence of a caption is computed from.

    Attributes:
        log_probs: `(T,)`, of its words given the photo, natural logarithms.
        strangeness: of the photo, as `Familiarity.strangeness` returns it.
        distinct: the share of its words that do not repeat an earlier one.
        blind: `(T,)`, of the same words given a uniformly grey photo; None if not computed.
        scene: `(S,)`, of the photo, as `Familiarity.scene` returns it.
    """

    log_probs: np.ndarray
    strangeness: float
    distinct: float = 1.0
    blind: np.ndarray | None = None
    scene: Sequence[float] | np.ndarray = ()


def _gain(seen: Observation) -> np.ndarray:
    """Return how much more likely the photo makes each word, in nats, `(T,)`."""
    blind = seen.log_probs if seen.blind is None else seen.blind
    return np.asarray(seen.log_probs - blind)


def _along(direction: int, seen: Observation) -> float:
    return float(seen.scene[direction]) if direction < len(seen.scene) else 0.0


PREDICTORS: dict[str, Callable[[Observation], float]] = {
    "mean_log_prob": lambda seen: np.mean(seen.log_probs),
    "least_log_prob": lambda seen: np.min(seen.log_probs),
    "strangeness": lambda seen: min(seen.strangeness, STRANGEST),
    "mean_gain": lambda seen: np.mean(_gain(seen)),
    "largest_gain": lambda seen: np.max(_gain(seen)),
    "distinct": lambda seen: seen.distinct,
    "words": lambda seen: len(seen.log_probs),
    "log_prob": lambda seen: np.sum(seen.log_probs),
    **{f"scene{number}": partial(_along, number) for number in range(SCENE)},
}
"""The predictors of confidence, by name.  The gains compare the photo with a grey one: a caption
whose words are as likely without the photo says little about it."""

_GAINS = {"mean_gain", "largest_gain"}

FIRST_PREDICTORS = ("mean_log_prob", "least_log_prob", "strangeness")
"""The predictors of calibrations that do not name theirs."""

_OF_NO_WORDS = {"mean_log_prob": -10.0, "least_log_prob": -10.0, "strangeness": STRANGEST}


def predictors_of(seen: Observation, names: Sequence[str] = tuple(PREDICTORS)) -> np.ndarray:
    """Return the named predictors of a caption, float64 `(P,)`."""
    if not len(seen.log_probs):
        return np.array([_OF_NO_WORDS.get(name, 0.0) for name in names])
    return np.array([float(PREDICTORS[name](seen)) for name in names])


@dataclass(frozen=True)
class Confidence:
    """The probability that a caption is good: a logistic regression.

    Attributes:
        weights: `(1 + P,)`; a constant, and a factor for each predictor.
        doubt: the highest confidence of a caption of an unfamiliar photo.
        predictors: their names, of `PREDICTORS`.
    """

    weights: tuple[float, ...]
    doubt: float
    predictors: tuple[str, ...] = FIRST_PREDICTORS

    @classmethod
    def fit(
        cls,
        values: np.ndarray,
        good: np.ndarray,
        *,
        predictors: Sequence[str] = FIRST_PREDICTORS,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Fit by Newton's method.

        Args:
            values: `(N, P)`, as `predictors_of` returns for each caption.
            good: `(N,)`, whether the caption is good.
            predictors: the names of the columns of `values`.
            sample_weight: `(N,)`, of each caption; by default 1.
        """
        counts = np.ones(len(values)) if sample_weight is None else sample_weight
        inputs = np.concatenate([np.ones((len(values), 1)), values], axis=1)
        weights = np.zeros(inputs.shape[1])
        # Keeps weights finite if the predictors separate good captions from the others perfectly.
        ridge = np.eye(inputs.shape[1])
        ridge[0, 0] = 0.0
        for _ in range(50):
            share = _logistic(inputs @ weights)
            slope = inputs.T @ (counts * (good - share)) - ridge @ weights
            curve = (inputs * (counts * share * (1 - share))[:, None]).T @ inputs + ridge
            step = np.linalg.solve(curve + TINY * np.eye(len(curve)), slope)
            weights += step
            if np.abs(step).max() < 1e-9:
                break
        least = np.quantile(_logistic(inputs @ weights), 0.1)
        return cls(tuple(float(weight) for weight in weights), float(least), tuple(predictors))

    def __call__(self, values: np.ndarray, familiar: bool = True) -> float:
        """Return the probability that a caption with these predictors, `(P,)`, is good."""
        share = float(self.of_familiar(values))
        return share if familiar else min(share, self.doubt)

    def of_familiar(self, values: np.ndarray) -> np.ndarray:
        """Return the probabilities `(N,)` for captions `(N, P)` of familiar photos."""
        found: np.ndarray = _logistic(self.weights[0] + np.asarray(values) @ self.weights[1:])
        return found


class Judgement(NamedTuple):
    """The confidence of a model in one caption.

    Attributes:
        confidence: the probability that the caption is good.
        familiar: whether the photo is like the training photos.
        level: the confidence in words; "not sure" for an unfamiliar photo.
    """

    confidence: float
    familiar: bool
    level: Level


@dataclass(frozen=True)
class Calibration:
    """The calibration that a bundle stores.

    Attributes:
        familiarity: of photos.
        confidence: in captions.
        limit: a photo with a larger strangeness is unfamiliar.
        facts: the data it was fitted on, and its figures there.
        levels: confidence below the first is "not sure", from the second on "sure".
        blank: features of a uniformly grey photo, `(1, R, D)` or `(1, D)`, for
            `Observation.blind`; None if no predictor needs them.
    """

    familiarity: Familiarity
    confidence: Confidence
    limit: float
    facts: Mapping[str, Any]
    levels: tuple[float, float] = USUAL_LEVELS
    blank: np.ndarray | None = None

    def judge(self, seen: Observation) -> Judgement:
        """Return the confidence in a caption."""
        familiar = bool(seen.strangeness <= self.limit)
        values = predictors_of(seen, self.confidence.predictors)
        confidence = self.confidence(values, familiar)
        return Judgement(confidence, familiar, self.level(confidence, familiar))

    def level(self, confidence: float, familiar: bool = True) -> Level:
        """Return a confidence in words."""
        return level_of(confidence, self.levels, familiar=familiar)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        blank = {} if self.blank is None else {"blank": self.blank.astype(np.float16)}
        return {**self.familiarity.arrays(), **blank}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the arrays."""
        return {
            "limit": self.limit,
            "predictors": list(self.confidence.predictors),
            "weights": list(self.confidence.weights),
            "doubt": self.confidence.doubt,
            "levels": list(self.levels),
            **self.facts,
        }

    @classmethod
    def from_parts(
        cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, source: str
    ) -> Self:
        """Read a calibration from the content that a bundle stored.

        Raises:
            BundleError: something is missing, of another shape, unknown, or not a finite number.
        """
        facts = dict(content)
        try:
            weights = tuple(float(weight) for weight in facts.pop("weights"))
            limit, doubt = float(facts.pop("limit")), float(facts.pop("doubt"))
            low, high = (float(level) for level in facts.pop("levels", USUAL_LEVELS))
            predictors = tuple(str(name) for name in facts.pop("predictors", FIRST_PREDICTORS))
            found = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
            blank = found.pop("blank", None)
            familiarity = Familiarity(**found)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BundleError(f"{source}: {error!s} is missing or wrong.") from error
        if unknown := set(predictors) - set(PREDICTORS):
            raise BundleError(f"{source} needs the unknown predictor {unknown.pop()!r}.")
        numbers = [np.array([limit, doubt, low, high, *weights]), *found.values()]
        if not all(np.isfinite(value).all() for value in numbers):
            raise BundleError(f"{source} holds numbers that are not finite.")
        channels = len(familiarity.mean) if familiarity.fits_together else -1
        if len(weights) != 1 + len(predictors) or channels < 0:
            raise BundleError(f"{source}: the arrays do not fit together.")
        if blank is None and _GAINS & set(predictors):
            raise BundleError(f"{source}: the features of a blank photo are missing.")
        if blank is not None and (blank.ndim not in (2, 3) or blank.shape[-1] != channels):
            raise BundleError(f"{source}: the features of a blank photo have another shape.")
        confidence = Confidence(weights, doubt, predictors)
        return cls(familiarity, confidence, limit, facts, (low, high), blank)


def _logistic(value: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(value, -50.0, 50.0)))
