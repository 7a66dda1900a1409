"""How sure a model may be of a caption.  NumPy alone, so that no network is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from captioning.calibration.familiarity import Familiarity
from captioning.errors import BundleError

__all__ = [
    "PREDICTORS",
    "Calibration",
    "Confidence",
    "Judgement",
    "Level",
    "Observation",
    "predictors_of",
]

Level = Literal["sure", "fairly sure", "not sure"]
"""What people read instead of a number."""

USUAL_LEVELS = (0.35, 0.65)
"""Of a calibration that has none: below the first "not sure", from the second on "sure"."""

STRANGEST = 3.0
"""No usual photo is stranger; beyond it the logistic curve has nothing to go by."""

TINY = 1e-6


@dataclass(frozen=True)
class Observation:
    """A caption as it is judged.

    Attributes:
        log_probs: `(T,)`, of its words given the photo, natural logarithms.
        strangeness: of the photo, as `Familiarity.strangeness` returns it.
        distinct: the share of its words that do not repeat an earlier one.
        blind: `(T,)`, of the same words given an evenly grey photo; None if that was not read.
    """

    log_probs: np.ndarray
    strangeness: float
    distinct: float = 1.0
    blind: np.ndarray | None = None


def _gain(seen: Observation) -> np.ndarray:
    """Return how much likelier the photo makes each word, `(T,)`."""
    blind = seen.log_probs if seen.blind is None else seen.blind
    return np.asarray(seen.log_probs - blind)


PREDICTORS = {
    "mean_log_prob": lambda seen: np.mean(seen.log_probs),
    "least_log_prob": lambda seen: np.min(seen.log_probs),
    "strangeness": lambda seen: min(seen.strangeness, STRANGEST),
    "mean_gain": lambda seen: np.mean(_gain(seen)),
    "largest_gain": lambda seen: np.max(_gain(seen)),
    "distinct": lambda seen: seen.distinct,
}
"""What confidence can be read from, by name.  The gains compare seeing with guessing: a caption
whose words are as likely without the photo says little about it."""

_GAINS = {"mean_gain", "largest_gain"}

FIRST_PREDICTORS = ("mean_log_prob", "least_log_prob", "strangeness")
"""Of calibrations that do not name theirs."""

_OF_NO_WORDS = {"mean_log_prob": -10.0, "least_log_prob": -10.0, "strangeness": STRANGEST}


def predictors_of(seen: Observation, names: Sequence[str] = tuple(PREDICTORS)) -> np.ndarray:
    """Return the named predictors of a caption, float64 `(P,)`."""
    if not len(seen.log_probs):
        return np.array([_OF_NO_WORDS.get(name, 0.0) for name in names])
    return np.array([float(PREDICTORS[name](seen)) for name in names])


@dataclass(frozen=True)
class Confidence:
    """How likely a caption is good, a logistic curve.

    Attributes:
        weights: `(1 + P,)`; a constant, and a factor for each predictor.
        doubt: the most that a caption of an unfamiliar photo is given.
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
        penalty: float = 1.0,
    ) -> Self:
        """Fit by Newton's method.

        Args:
            values: `(N, P)`, as `predictors_of` returns for each caption.
            good: `(N,)`, whether it was.
            predictors: the names of the columns of `values`.
            sample_weight: `(N,)`, how much each caption counts; by default 1.
            penalty: of large weights; keeps them finite where the predictors separate the good
                from the others completely.
        """
        counts = np.ones(len(values)) if sample_weight is None else sample_weight
        inputs = np.concatenate([np.ones((len(values), 1)), values], axis=1)
        weights = np.zeros(inputs.shape[1])
        ridge = penalty * np.eye(inputs.shape[1])
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
        """Return how likely a caption with such predictors is good, 0 to 1."""
        share = float(_logistic(self.weights[0] + np.asarray(values) @ self.weights[1:]))
        return share if familiar else min(share, self.doubt)


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
    """All that a bundle stores to judge its own captions.

    Attributes:
        familiarity: of photos.
        confidence: in captions.
        limit: a stranger photo is unfamiliar.
        facts: what it was fitted on, and what it does there.
        levels: confidence below the first is "not sure", from the second on "sure".
        blank: features of an evenly grey photo, `(1, R, D)` or `(1, D)`, for `Observation.blind`;
            None if no predictor needs it.
    """

    familiarity: Familiarity
    confidence: Confidence
    limit: float
    facts: Mapping[str, Any]
    levels: tuple[float, float] = USUAL_LEVELS
    blank: np.ndarray | None = None

    def judge(self, seen: Observation) -> Judgement:
        """Judge a caption."""
        familiar = bool(seen.strangeness <= self.limit)
        values = predictors_of(seen, self.confidence.predictors)
        confidence = self.confidence(values, familiar)
        return Judgement(confidence, familiar, self.level(confidence, familiar))

    def level(self, confidence: float, familiar: bool = True) -> Level:
        """Put a confidence into a word."""
        low, high = self.levels
        if not familiar or confidence < low:
            return "not sure"
        return "sure" if confidence >= high else "fairly sure"

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        blank = {} if self.blank is None else {"blank": self.blank.astype(np.float16)}
        return {**self.familiarity.arrays(), **blank}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, all but the arrays."""
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
        """Put together what a bundle stored.

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
        except (KeyError, TypeError, ValueError) as error:
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
