"""A fair (first-in, first-out) lock that reports each waiter's place in the queue.

A model computes for one caller at a time, on all cores.  With `threading.Lock`, a batch that takes
the lock for each of its photos could overtake everyone else; here it goes to the end of the queue.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator


class FairLock:
    """A first-in, first-out lock.  It is reentrant: the thread that holds it may take it again."""

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._served: int | None = None
        self._moved = threading.Condition()

    @property
    def length(self) -> int:
        """The number of threads that hold or wait for the lock."""
        return len(self._line)

    @contextlib.contextmanager
    def take(self, on_wait: Callable[[int], None] | None = None) -> Iterator[None]:
        """Wait for the lock and hold it within the block.

        Args:
            on_wait: called with the number of callers ahead, at first and whenever it changes; not
                called if there are none.
        """
        if self._served == threading.get_ident():
            yield  # reentrant: nested calls take the lock again
            return
        ticket = object()
        with self._moved:
            self._line.append(ticket)
        try:
            self._wait(ticket, on_wait)
            self._served = threading.get_ident()
            yield
        finally:  # also when `on_wait` raises, as it does after a visitor has left the page
            with self._moved:
                if self._served == threading.get_ident():
                    self._served = None
                self._line.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: object, on_wait: Callable[[int], None] | None) -> None:
        reported = 0
        while True:
            with self._moved:
                while (before := self._line.index(ticket)) and (
                    before == reported or on_wait is None
                ):
                    self._moved.wait()
            if not before or on_wait is None:
                return
            reported = before
            on_wait(before)  # outside the lock, because it may be slow
