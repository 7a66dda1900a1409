"""Processes of our own that outlive whoever started them, on every system."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["is_alive", "start_detached", "started_at"]

# A clock that is set while a process starts moves its start by less than another process would.
_SAME_SECONDS = 1.0


def start_detached(
    command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program that goes on when this one ends or its terminal is closed.

    It is a new program and not a fork: TensorFlow does not survive a fork.

    Args:
        command: the program and its arguments.
        folder: the folder it works in.
        log: a file to which its output is appended.
        environment: variables it gets on top of ours.

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
    """Tell whether the process that had this number at `started` is still alive.

    Systems give the number of a process that has ended to another one.
    """
    found = started_at(pid)
    return found is not None and abs(found - started) < _SAME_SECONDS
