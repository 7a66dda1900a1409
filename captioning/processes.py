"""Processes that outlive the program that started them, and locks, on every system."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filelock import BaseFileLock

# Adjusting the clock changes the start of a process by less than this.
_SAME_SECONDS = 1.0


def start_detached(
    command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program that continues when this one ends or its terminal is closed.

    It is a new program and not a fork: TensorFlow does not survive a fork.

    Args:
        command: the program and its arguments.
        folder: the folder it works in.
        log: a file to which its output is appended.
        environment: variables in addition to those of this process.

    Raises:
        OSError: it cannot be started, or the log cannot be written.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        apart = {"creationflags": flags}
    with open(log, "ab") as output:
        return subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
            list(command),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **apart,
        )


def started_at(pid: int) -> float | None:
    """Return when a process started, in seconds since 1970; None if it has ended."""
    import psutil  # not at the top: the command line starts in milliseconds

    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return None if ended else float(process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def is_alive(pid: int, started: float) -> bool:
    """Return whether the process that started at `started` with this pid is still running.

    Systems reuse the pid of a process that has ended.
    """
    found = started_at(pid)
    return found is not None and abs(found - started) < _SAME_SECONDS


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Wait for the lock on `path` and hold it inside the block, among threads and processes.

    Raises:
        OSError: the file cannot be created.
    """
    from filelock import FileLock  # not at the top: the command line starts in milliseconds

    with FileLock(path, thread_local=False, poll_interval=0.01):
        yield


def hold(path: Path, *, patience: float = 0.0) -> "BaseFileLock | None":
    """Take the lock on `path` and keep it until its `release` or the end of the process.

    The system releases it when the process ends, even if it is killed.

    Args:
        path: a file for the lock only; it remains when the lock is released.
        patience: seconds to wait for the lock; -1 waits forever.

    Returns:
        The lock, which any thread may release, or None if another process or thread holds it.

    Raises:
        OSError: the file cannot be created.
    """
    from filelock import FileLock, Timeout

    found = FileLock(path, thread_local=False)
    try:
        found.acquire(timeout=patience, poll_interval=0.01)
    except Timeout:
        return None
    return found


def is_held(path: Path) -> bool:
    """Return whether a running process holds the lock on `path`."""
    if not path.exists():
        return False
    try:
        found = hold(path)
    except OSError:
        return False
    if found is not None:
        found.release()
    return found is None
