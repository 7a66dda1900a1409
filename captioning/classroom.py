"""A server for a class: who is trusted with what, and how much a visitor may use.

`captioning class` sets `CAPTIONING_TEACHER_KEY`.  Without it there is one person, at the machine
itself, who may do everything.  With it visitors caption, explore, learn and start small runs, and
only a browser that entered the key names folders, imports, publishes, deletes, and stops the runs
of others.
"""

import hmac
import os
import secrets
import socket
from pathlib import Path

from captioning.errors import DatasetError, RunError
from captioning.runs import LIVE, Estimate, Run, Runs
from captioning.storage import data_folder

__all__ = [
    "KEY_VARIABLE",
    "ROOTS_VARIABLE",
    "allowed_folder",
    "check_quota",
    "is_teachers_key",
    "is_visited",
    "local_address",
    "new_key",
    "visitor_of",
    "without_paths",
]

KEY_VARIABLE = "CAPTIONING_TEACHER_KEY"
ROOTS_VARIABLE = "CAPTIONING_ROOTS"

MOST_SECONDS = 15 * 60
MOST_MEMORY_BYTES = 2 * 1024**3
MOST_DISK_BYTES = 500_000_000
MOST_WAITING = 30
_UNAMBIGUOUS = "abcdefghjkmnpqrstuvwxyz23456789"


def is_visited() -> bool:
    """Tell whether this server is open to a class."""
    return bool(os.environ.get(KEY_VARIABLE))


def new_key() -> str:
    """Return a teacher's key: 12 characters that are not mixed up when read aloud."""
    return "".join(secrets.choice(_UNAMBIGUOUS) for _ in range(12))


def is_teachers_key(text: str) -> bool:
    """Tell whether a text is the teacher's key, in a time that does not depend on the text."""
    key = os.environ.get(KEY_VARIABLE, "")
    return bool(key) and hmac.compare_digest(text.strip().encode(), key.encode())


def local_address() -> str:
    """Return the address of this machine in the local network; 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation; nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def allowed_folder(text: str) -> Path:
    """Return a folder that a person named on a page.

    Anywhere if this server has no visitors; otherwise in the data folder or below one of the
    folders in `$CAPTIONING_ROOTS`.

    Raises:
        DatasetError: it is anywhere else.
    """
    folder = Path(text).expanduser()
    if not is_visited():
        return folder
    named = [Path(root) for root in os.environ.get(ROOTS_VARIABLE, "").split(os.pathsep) if root]
    try:
        resolved = folder.resolve()
        inside = any(resolved.is_relative_to(root.resolve()) for root in (data_folder(), *named))
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise DatasetError(
            "A class server reads folders only in its data folder or below those that were named "
            "at its start: captioning class --root FOLDER."
        )
    return resolved


def visitor_of(run: Run) -> str | None:
    """Return the address of the visitor who made a run; None if it was not made by a visitor."""
    visitor = run.origin.get("visitor")
    return visitor if isinstance(visitor, str) else None


def check_quota(runs: Runs, visitor: str, needs: Estimate) -> None:
    """Make sure that a visitor may start a run that needs so much.

    Raises:
        RunError: it is too large, the visitor has one already, or too many are waiting.
    """
    if (
        needs.seconds > MOST_SECONDS
        or needs.memory_bytes > MOST_MEMORY_BYTES
        or needs.disk_bytes > MOST_DISK_BYTES
    ):
        raise RunError(
            "This run is too large for a visitor of a class server: at most "
            f"{MOST_SECONDS // 60} minutes, {MOST_MEMORY_BYTES // 1024**3} GB of memory and "
            f"{MOST_DISK_BYTES // 1_000_000} MB on the disk. Choose fewer epochs or photos, or ask "
            "the teacher."
        )
    active = [run for run in runs.all() if run.status.state in (*LIVE, "queued")]
    if any(visitor_of(run) == visitor for run in active):
        raise RunError("You have a run already. Stop it, or wait until it has finished.")
    if len(active) > MOST_WAITING:
        raise RunError(f"{len(active)} runs are waiting. Try again when there are fewer.")


def without_paths(text: str) -> str:
    """Take the places of the server's folders out of a text that a visitor reads."""
    for folder, name in ((data_folder(), "data"), (Path(__file__).parents[1], "app")):
        for place in {str(folder), str(folder.absolute()), str(folder.resolve())}:
            if len(place) > 1 and Path(place).is_absolute():
                text = text.replace(place, name)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
