"""How fast a run goes and how long it has left."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Pace"]

WINDOW = 50
"""Steps over which the rate is taken: the first one, which compiles, soon drops out."""


class Pace:
    """A stopwatch over a run's steps and scorings that can be halted.

    Args:
        seconds: time the run has already spent in earlier processes.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._begun = time.monotonic() - seconds
        self._ends: deque[float] = deque(maxlen=WINDOW)
        self._scoring = 0.0

    @property
    def seconds(self) -> float:
        """Time spent training, halts left out."""
        return time.monotonic() - self._begun

    @property
    def rate(self) -> float:
        """Steps a second of late; 0 before the second step."""
        if len(self._ends) < 2:
            return 0.0
        return (len(self._ends) - 1) / max(self._ends[-1] - self._ends[0], 1e-9)

    def stepped(self) -> None:
        """Note that a step has ended."""
        self._ends.append(self.seconds)

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Leave out the time spent inside, such as a pause."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._begun += time.monotonic() - begun

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Measure the time spent inside as that of scoring one epoch, and not as that of steps."""
        begun = self.seconds
        yield
        self._scoring = self.seconds - begun
        self._ends = deque((end + self._scoring for end in self._ends), WINDOW)

    def left(self, *, steps: int, epochs: int) -> float | None:
        """Return the seconds that so many steps and scorings will take; None while unknown."""
        return steps / self.rate + epochs * self._scoring if self.rate else None
