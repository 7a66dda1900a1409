"""One figure of several runs that differ in chance alone: how far apart it lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Spread", "spread_of"]


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure of several runs that differ in chance alone, at least two.

    Attributes:
        values: one a run.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return math.fsum(self.values) / len(self.values)

    @property
    def deviation(self) -> float:
        """Their standard deviation, with n - 1 below the line."""
        squares = math.fsum((value - self.mean) ** 2 for value in self.values)
        return math.sqrt(squares / (len(self.values) - 1))

    @property
    def width(self) -> float:
        """From the lowest to the highest."""
        return max(self.values) - min(self.values)

    @property
    def noticeable(self) -> float:
        """Twice the standard error of the difference of two such means.

        Two settings tried with so many seeds each should lie further apart than this before one is
        called better: chance alone stays within it about 19 times of 20 when runs are many.
        """
        return 2 * self.deviation * math.sqrt(2 / len(self.values))

    def mean_formula(self) -> str:
        r"""Write the mean as LaTeX."""
        terms = " + ".join(f"{value:.1f}" for value in self.values)
        return rf"\mu = \frac{{{terms}}}{{{len(self.values)}}} = {self.mean:.1f}"

    def variance_formula(self) -> str:
        r"""Write the square of the standard deviation as LaTeX, in a line that can break."""
        squares = " + ".join(f"({value - self.mean:.2f})^2" for value in self.values)
        return f"s^2 = ({squares}) / {len(self.values) - 1} = {self.deviation**2:.2f}"

    def deviation_formula(self) -> str:
        r"""Write the standard deviation as LaTeX."""
        return rf"s = \sqrt{{{self.deviation**2:.2f}}} = {self.deviation:.1f}"


def spread_of(values: Sequence[float]) -> Spread | None:
    """Return the spread of at least two values, else None."""
    return Spread(tuple(values)) if len(values) > 1 else None
