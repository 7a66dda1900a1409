"""Speed of a run and its estimated remaining time."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

WINDOW = 50
"""Steps in the moving average of the rate; the slow first step soon drops out of it."""


class Pace:
    """A stopwatch for the steps and scorings of a run, with pauses.

    Args:
        seconds: time the run has spent in earlier processes.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._begun = time.monotonic() - seconds
        self._ends: deque[float] = deque(maxlen=WINDOW)
        self._scoring = 0.0

    @property
    def seconds(self) -> float:
        """Time spent training, without pauses."""
        return time.monotonic() - self._begun

    @property
    def rate(self) -> float:
        """Recent steps per second; 0 before the second step."""
        if len(self._ends) < 2:
            return 0.0
        return (len(self._ends) - 1) / max(self._ends[-1] - self._ends[0], 1e-9)

    def stepped(self) -> None:
        """Record the end of a step."""
        self._ends.append(self.seconds)

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Exclude the time within the block, such as a pause."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._begun += time.monotonic() - begun

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Count the time within the block as scoring an epoch, not as steps."""
        begun = self.seconds
        yield
        self._scoring = self.seconds - begun
        self._ends = deque((end + self._scoring for end in self._ends), WINDOW)

    def left(self, *, steps: int, epochs: int) -> float | None:
        """Estimate the seconds for the remaining steps and scorings; None while unknown."""
        return steps / self.rate + epochs * self._scoring if self.rate else None
