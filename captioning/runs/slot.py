"""The slot of a data folder: the one run that has it may have a process.

The run's process holds a lock, which the system releases when the process ends, however it ends.
A file next to the lock names the run, since a locked file cannot be read on Windows.  While a
process starts, that file also names the process for which the slot is reserved.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.errors import StorageError
from captioning.processes import hold, is_alive, is_held, started_at
from captioning.storage import read_json, write_json

if TYPE_CHECKING:
    from filelock import BaseFileLock


class Slot:
    """The slot, held by this process; all methods need the lock of the store."""

    def __init__(self, path: Path, lock: "BaseFileLock") -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def take(cls, path: Path, name: str) -> "Slot | None":
        """Take the slot for the run called `name`; None if a running process has it."""
        lock = hold(path)
        if lock is None:
            return None
        write_json(_holder_file(path), {"run": name})
        return cls(path, lock)

    @staticmethod
    def reserve(path: Path, name: str, pid: int) -> None:
        """Reserve the slot for a process that was just started, until it takes it or ends."""
        holder = {"run": name, "pid": pid, "started": started_at(pid)}
        write_json(_holder_file(path), holder)

    @staticmethod
    def holder(path: Path) -> str | None:
        """Return the name of the run that has the slot; None if it is free."""
        holder: dict[str, Any] = {}
        with suppress(StorageError):
            holder = read_json(_holder_file(path), dict)
        name, pid, started = (holder.get(key) for key in ("run", "pid", "started"))
        reserved = isinstance(pid, int) and isinstance(started, float) and is_alive(pid, started)
        return str(name) if reserved or is_held(path) else None

    def close(self) -> None:
        """Release it."""
        self._lock.release()


def _holder_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
