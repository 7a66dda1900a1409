"""The effect of chance on a score: bootstrap intervals, and a paired test of two models.

Other photos would give other scores, so the interval resamples photos.  The test swaps the captions
of the two models.  References: Koehn, "Statistical Significance Tests for Machine Translation
Evaluation", EMNLP 2004; Riezler and Maxwell, "On Some Pitfalls in Automatic Evaluation", 2005, for
the reason to swap and not to resample; Holm, 1979, for testing several metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from captioning.errors import ConfigError
from captioning.evaluation.scoring import PhotoScores

SAMPLES = 1000
LEVEL = 0.95
REAL_BELOW = 0.05
"""Significance level: a difference with a smaller p-value counts as real."""

_AT_ONCE = 100
"""Collections drawn at once: a few megabytes for some thousand photos."""


class Interval(NamedTuple):
    """The range of a score in 95% of the resampled collections, x100."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One measure of two models on the same photos, x100.

    Attributes:
        measure: such as "bleu_4".
        first: the first model's score.
        second: the second model's.
        interval: 95% bootstrap interval of second minus first.
        p_value: how often a random swap of the two models' captions, photo by photo, gives a
            difference at least as large.
        corrected: the p-value, corrected for testing several measures (Holm).
    """

    measure: str
    first: float
    second: float
    interval: Interval
    p_value: float
    corrected: float

    @property
    def gain(self) -> float:
        """Second minus first."""
        return self.second - self.first

    @property
    def real(self) -> bool:
        """Whether the difference is statistically significant."""
        return self.corrected < REAL_BELOW


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photos, measure by measure."""

    differences: tuple[Difference, ...]
    photos: int

    def verdict(self, first: str, second: str) -> str:
        """Return in a sentence which of the two models is better, if one is."""
        real = [difference for difference in self.differences if difference.real]
        better = {difference.gain > 0 for difference in real}
        if not real:
            return (
                f"There is no real difference between {first} and {second}: random swaps of their "
                "captions often give differences as large as these."
            )
        if len(better) == 2:
            return f"{first} is better by some measures and {second} by others."
        winner, loser = (second, first) if better == {True} else (first, second)
        by = "every measure" if len(real) == len(self.differences) else f"{len(real)} of "
        if len(real) < len(self.differences):
            by += f"{len(self.differences)} measures, and no real difference by the others"
        return f"{winner} is better than {loser} by {by}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data by measure."""
        rows = {}
        for difference in self.differences:
            row = asdict(difference)
            row["interval"] = [round(edge, 3) for edge in difference.interval]
            rows[row.pop("measure")] = {**row, "gain": difference.gain, "real": difference.real}
        return rows


def intervals(scores: PhotoScores, *, samples: int = SAMPLES, seed: int = 0) -> dict[str, Interval]:
    """Return the 95% percentile bootstrap interval of each measure.

    Args:
        scores: of the photos; each collection has the same number, drawn with replacement.
        samples: number of collections.
        seed: of the draws.
    """
    drawn = [scores.weighted(weights) for weights in _draws(len(scores), samples, seed)]
    return {name: _interval(np.concatenate([d[name] for d in drawn])) for name in scores.rows}


def compare(
    first: PhotoScores, second: PhotoScores, *, samples: int = SAMPLES, seed: int = 0
) -> Comparison:
    """Test by approximate randomisation whether two models differ on the same photos.

    If they do not differ, it does not matter which of them wrote which of the two captions of a
    photo; so these are swapped at random, and the test counts how often that gives a difference
    at least as large as the observed one.

    Raises:
        ConfigError: the photos are not the same.
    """
    if first.names != second.names:
        raise ConfigError(
            "The two models were scored on different photos, so they cannot be compared."
        )
    gains = _bootstrap_gains(first, second, samples, seed)
    found = {name: second.figures[name] - first.figures[name] for name in first.rows}
    p_values = _randomised(first, second, found, samples, seed + 1)
    corrected = holm([p_values[name] for name in first.rows])
    differences = tuple(
        Difference(
            measure=name,
            first=first.figures[name],
            second=second.figures[name],
            interval=gains[name],
            p_value=p_values[name],
            corrected=corrected[place],
        )
        for place, name in enumerate(first.rows)
    )
    return Comparison(differences, photos=len(first))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values so that the chance of any false positive stays that of a single test.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = round(largest, 12)
    return corrected


def _bootstrap_gains(
    first: PhotoScores, second: PhotoScores, samples: int, seed: int
) -> dict[str, Interval]:
    pairs = [(first.weighted(w), second.weighted(w)) for w in _draws(len(first), samples, seed)]
    return {
        name: _interval(np.concatenate([two[name] - one[name] for one, two in pairs]))
        for name in first.rows
    }


def _randomised(
    first: PhotoScores,
    second: PhotoScores,
    found: Mapping[str, float],
    samples: int,
    seed: int,
) -> dict[str, float]:
    random, photos = np.random.default_rng(seed), len(first)
    as_large = dict.fromkeys(found, 0)
    for start in range(0, samples, _AT_ONCE):
        size = (min(_AT_ONCE, samples - start), photos)
        swapped = random.integers(0, 2, size).astype(np.float64)
        kept = 1.0 - swapped
        one, two = (
            _mixed(first, second, kept, swapped),
            _mixed(first, second, swapped, kept),
        )
        for name in found:
            # A difference that is equal apart from rounding counts as large.
            made = np.abs(two[name] - one[name]) >= abs(found[name]) - 1e-9
            as_large[name] += int(made.sum())
    return {name: (count + 1) / (samples + 1) for name, count in as_large.items()}


def _mixed(
    first: PhotoScores, second: PhotoScores, of_first: np.ndarray, of_second: np.ndarray
) -> dict[str, np.ndarray]:
    """Score collections that take the caption of each photo from one of two models, `(S,)`."""
    both = PhotoScores(
        names=first.names + second.names,
        rows={name: np.concatenate([first.rows[name], second.rows[name]]) for name in first.rows},
    )
    return both.weighted(np.concatenate([of_first, of_second], axis=1))


def _draws(photos: int, samples: int, seed: int) -> list[np.ndarray]:
    """Draw bootstrap collections as counts `(S, N)`, the same for the same seed."""
    random, share = np.random.default_rng(seed), np.full(photos, 1 / photos)
    sizes = [min(_AT_ONCE, samples - start) for start in range(0, samples, _AT_ONCE)]
    return [random.multinomial(photos, share, size).astype(np.float64) for size in sizes]


def _interval(values: np.ndarray) -> Interval:
    edge = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(values, [edge, 100 - edge])
    return Interval(float(low), float(high))
