"""Taking turns: a lock that serves in the order of coming and tells who waits how many are before.

A model computes for one caller at a time, on all cores.  `threading.Lock` would let a batch of many
photos, which asks again and again, overtake everybody else; here it goes to the end of the line.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator

__all__ = ["FairLock"]


class FairLock:
    """A line of callers, each served in turn.  A thread that is being served may ask again."""

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._served: int | None = None
        self._moved = threading.Condition()

    @property
    def length(self) -> int:
        """How many are served or waiting."""
        return len(self._line)

    @contextlib.contextmanager
    def take(self, on_wait: Callable[[int], None] | None = None) -> Iterator[None]:
        """Wait for the caller's turn, and hold it as long as the block lasts.

        Args:
            on_wait: told how many are before the caller, at first and whenever that changes; not
                at all if nobody is.
        """
        if self._served == threading.get_ident():
            yield  # several things in one turn: each of them asks for it as well
            return
        ticket = object()
        with self._moved:
            self._line.append(ticket)
        try:
            self._wait(ticket, on_wait)
            self._served = threading.get_ident()
            yield
        finally:  # also when `on_wait` raised, as a page does whose visitor has left
            with self._moved:
                if self._served == threading.get_ident():
                    self._served = None
                self._line.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: object, on_wait: Callable[[int], None] | None) -> None:
        told = 0
        while True:
            with self._moved:
                while (before := self._line.index(ticket)) and (before == told or on_wait is None):
                    self._moved.wait()
            if not before or on_wait is None:
                return
            told = before
            on_wait(before)  # outside the lock: it may take its time
