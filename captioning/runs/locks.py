"""Two locks of a data folder: one on its queue, held for moments, and the slot of its one run.

Both are `flock`s.  The kernel lets go of them when the process that holds them ends, however it
ends, so a dead run is known as dead at once and no process number can be mistaken for another's.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Slot", "locked"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on `path` inside; waits for whoever holds it."""
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Slot:
    """The right to be the one run of a data folder, which a process hands to its child at birth.

    A lock belongs to the open file and not to a process: a child that inherits the file holds the
    lock from its first instant, and goes on holding it when its parent has closed the file or died.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "Slot | None":
        """Take the slot; None if a living process has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    @classmethod
    def inherited(cls, descriptor: int, path: Path) -> "Slot | None":
        """Take over the slot a parent handed down; None if `descriptor` is not the file `path`."""
        try:
            if not os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return None
        except OSError:
            return None
        os.set_inheritable(descriptor, False)
        return cls(descriptor)

    @staticmethod
    def holder(path: Path) -> str | None:
        """Return the name of the run that has the slot; None if it is free."""
        slot = Slot.take(path)
        if slot is not None:
            slot.close()
            return None
        return path.read_text(encoding="utf-8", errors="replace").strip()

    def sign(self, name: str) -> None:
        """Write down which run has the slot."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, name.encode(), 0)

    def close(self) -> None:
        """Let go of it, unless a child has it too."""
        os.close(self.descriptor)
