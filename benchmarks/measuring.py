"""Time several tasks in rounds, so that load affects all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """A task to be timed.

    Attributes:
        label: its description.
        run: performs it, and returns when it is done.
        units: number of photos or captions per call; times are reported per unit.
    """

    label: str
    run: Callable[[], object]
    units: int = 1


@dataclass(frozen=True)
class Comparison:
    """A ratio of two tasks, and its bound.

    Attributes:
        key: the ratio's name in the JSON output.
        title: its description.
        over: name of the task in the numerator.
        under: name of the task in the denominator.
        unit: the unit that times are reported per.
        at_most: the ratio's upper bound; None if it has a lower one.
        at_least: the ratio's lower bound; None if it has an upper one.
        notes: remarks for interpreting the figures.
        clock: returns seconds; their difference is a time.
    """

    key: str
    title: str
    over: str
    under: str
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    notes: str = ""
    clock: Callable[[], float] = time.perf_counter

    @property
    def bound(self) -> str:
        """Return the bound in words."""
        if self.at_most is not None:
            return f"at most {self.at_most:g}"
        return f"at least {self.at_least:g}"


@dataclass(frozen=True)
class Result:
    """The times of one comparison.

    Attributes:
        comparison: what was compared.
        labels: each work's label, by its name.
        seconds: for each work its time per unit in each round, in seconds.
    """

    comparison: Comparison
    labels: dict[str, str]
    seconds: dict[str, list[float]]

    @property
    def ratio(self) -> float:
        """The median over rounds of the ratio within a round.

        The two times of a round are measured under the same load, so the ratio is steadier
        than either time.  Minima would compare the luckiest moments of two different minutes.
        """
        over, under = (self.seconds[n] for n in (self.comparison.over, self.comparison.under))
        return statistics.median(a / b for a, b in zip(over, under, strict=True))

    @property
    def met(self) -> bool:
        """Whether the ratio is within its bound."""
        low, high = self.comparison.at_least, self.comparison.at_most
        return (low is None or self.ratio >= low) and (high is None or self.ratio <= high)

    def to_dict(self) -> dict[str, Any]:
        """Return the ratio and its times as plain data."""
        return {
            "divided": [self.comparison.over, self.comparison.under],
            "at_most": self.comparison.at_most,
            "at_least": self.comparison.at_least,
            "met": self.met,
            "unit": self.comparison.unit,
            "rounds": len(self.seconds[self.comparison.over]),
            "seconds": {
                name: {
                    "label": self.labels[name],
                    "median": statistics.median(times),
                    "least": min(times),
                }
                for name, times in self.seconds.items()
            },
        }


def measure(comparison: Comparison, works: Mapping[str, Work], *, rounds: int) -> Result:
    """Do each work once without timing it, then all of them in turn, round after round."""
    for work in works.values():
        work.run()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = comparison.clock()
            work.run()
            seconds[name].append((comparison.clock() - begun) / work.units)
    return Result(comparison, {name: work.label for name, work in works.items()}, seconds)
