"""Progress of a download, and its text for users."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from captioning.errors import DownloadStopped


@dataclass(frozen=True)
class Progress:
    """Progress of a download.

    Attributes:
        stage: "connecting", "downloading", "unpacking" or "checking".
        done: Bytes downloaded or unpacked.
        total: Total bytes; None if unknown.
        rate: Recent bytes per second; None if unknown.
    """

    stage: str
    done: int = 0
    total: int | None = None
    rate: float | None = None

    @property
    def fraction(self) -> float | None:
        """The share done, 0 to 1; None if the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the end of the stage; None if unknown."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate

    def sentence(self) -> str:
        """Return the progress as a text, without a full stop.

        >>> Progress("downloading", 300_000_000, 1_100_000_000, 8_000_000).sentence()
        'Downloading: 300 of 1,100 MB, 8.0 MB per second, about 2 minutes left'
        >>> Progress("checking").sentence()
        'Checking'
        """
        parts = []
        if self.total is not None:
            parts.append(f"{self.done / 1e6:,.0f} of {megabytes(self.total)}")
        elif self.done:
            parts.append(megabytes(self.done))
        if self.rate:
            parts.append(f"{self.rate / 1e6:.1f} MB per second")
        if self.seconds_left is not None:
            parts.append(_left(self.seconds_left))
        name = self.stage.capitalize()
        return f"{name}: {', '.join(parts)}" if parts else name


@dataclass(frozen=True)
class Hooks:
    """Callbacks of the caller.

    Attributes:
        on_progress: Called often with the progress.
        should_stop: Called often; a true result ends the work with `DownloadStopped`.
    """

    on_progress: Callable[[Progress], object] = lambda progress: None
    should_stop: Callable[[], bool] = lambda: False

    def report(self, progress: Progress) -> None:
        """Report the progress, and stop if requested.

        Raises:
            DownloadStopped: `should_stop` returned true.
        """
        self.on_progress(progress)
        self.check()

    def check(self) -> None:
        """Stop if requested.

        Raises:
            DownloadStopped: `should_stop` returned true.
        """
        if self.should_stop():
            raise DownloadStopped("Stopped. The downloaded part is kept; start again to resume.")


class RateMeter:
    """Measures bytes per second over the last few seconds."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self._marks: deque[tuple[float, int]] = deque()

    def rate(self, done: int) -> float | None:
        """Record that `done` bytes have arrived; return the rate, or None if still unknown."""
        now = time.monotonic()
        self._marks.append((now, done))
        while now - self._marks[0][0] > self.seconds and len(self._marks) > 2:
            self._marks.popleft()
        then, before = self._marks[0]
        return (done - before) / (now - then) if now - then > 0.2 else None


def megabytes(count: int) -> str:
    """Format a number of bytes, as in "1,113 MB"."""
    return f"{count / 1e6:,.0f} MB"


def gigabytes(count: int) -> str:
    """Format a number of bytes, as in "1.1 GB"."""
    return f"{count / 1e9:,.1f} GB"


def _left(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    return f"about {minutes} minute{'s' * (minutes != 1)} left"
