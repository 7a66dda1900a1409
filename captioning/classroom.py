"""Permissions and quotas on a class server.

`captioning class` sets `CAPTIONING_TEACHER_KEY`.  Without the key there is one local user with all
permissions.  With it, visitors can caption, explore, learn and start small runs; only a browser in
which the key was entered can choose folders, import, publish, delete, and stop the runs of others.
"""

import hmac
import io
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from captioning.errors import DatasetError, RunError
from captioning.runs import LIVE, Estimate, Run, Runs
from captioning.storage import data_folder

KEY_VARIABLE = "CAPTIONING_TEACHER_KEY"
ROOTS_VARIABLE = "CAPTIONING_ROOTS"
ADDRESS_VARIABLE = "CAPTIONING_ADDRESS"
API_VARIABLE = "CAPTIONING_API"

MOST_SECONDS = 15 * 60
MOST_MEMORY_BYTES = 2 * 1024**3
MOST_DISK_BYTES = 500_000_000
MOST_STORED_BYTES = 2_000_000_000
MOST_WAITING = 30
_UNAMBIGUOUS = "abcdefghjkmnpqrstuvwxyz23456789"


def is_visited() -> bool:
    """Return whether this server is open to a class."""
    return bool(os.environ.get(KEY_VARIABLE))


def offers_api() -> bool:
    """Return whether the app answers HTTP requests with captions; for a class only with `--api`."""
    return not is_visited() or os.environ.get(API_VARIABLE) == "1"


def new_key() -> str:
    """Return a teacher's key: 12 characters that are hard to confuse when read aloud."""
    return "".join(secrets.choice(_UNAMBIGUOUS) for _ in range(12))


def is_teachers_key(text: str) -> bool:
    """Return whether a text is the teacher's key, compared in constant time."""
    key = os.environ.get(KEY_VARIABLE, "")
    return bool(key) and hmac.compare_digest(text.strip().encode(), key.encode())


def local_address() -> str:
    """Return this machine's address on the local network, or 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address; nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def visitors_address() -> str | None:
    """Return the address that visitors open; None if no class server was started."""
    return os.environ.get(ADDRESS_VARIABLE) if is_visited() else None


def qr_code(address: str) -> bytes:
    """Return the QR code of an address as a PNG, large enough to project."""
    import segno  # imported here so that other pages and commands start without it

    drawn = io.BytesIO()
    segno.make(address, micro=False).save(drawn, kind="png", scale=12, border=2)
    return drawn.getvalue()


def allowed_folder(text: str) -> Path:
    """Return a folder that a person entered on a page, if it is allowed.

    A server without visitors allows every folder; a class server allows the data folder and the
    folders in `$CAPTIONING_ROOTS`.

    Raises:
        DatasetError: the folder is not allowed.
    """
    folder = Path(os.path.expanduser(text))
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
            "A class server reads only its data folder and the folders given "
            "when it was started: captioning class --root FOLDER."
        )
    return resolved


def visitor_of(run: Run) -> str | None:
    """Return the address of the visitor who started a run, or None if no visitor did."""
    visitor = run.origin.get("visitor")
    return visitor if isinstance(visitor, str) else None


@contextmanager
def within_quota(runs: Runs, visitor: str, needs: Estimate) -> Iterator[None]:
    """Check that a visitor may start a run, and let no other visitor start one in the block.

    Otherwise two tabs that ask at the same time would both find the quota unused.

    Raises:
        RunError: as for `check_quota`, or the lock cannot be written.
    """
    with runs.locked(".quota"):
        check_quota(runs, visitor, needs)
        yield


def check_quota(runs: Runs, visitor: str, needs: Estimate) -> None:
    """Check that a visitor may start a run with these needs.

    Raises:
        RunError: the run is too large, the visitor already has one, their runs take too much of
            the disk, or too many are waiting.
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
    found = runs.all()
    active = [run for run in found if run.status.state in (*LIVE, "queued")]
    if any(visitor_of(run) == visitor for run in active):
        raise RunError("You already have a run. Stop it, or wait until it has finished.")
    stored = sum(_size(run.folder) for run in found if visitor_of(run) == visitor)
    if stored + needs.disk_bytes > MOST_STORED_BYTES:
        raise RunError(
            f"Your runs take {stored // 1_000_000} MB on the disk of the server. "
            "Delete one of them first."
        )
    if len(active) > MOST_WAITING:
        raise RunError(f"{len(active)} runs are waiting. Try again when there are fewer.")


def _size(folder: Path) -> int:
    """Return how many bytes the files of a folder take."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # a checkpoint may just have been replaced
            size += path.stat().st_size
    return size


def without_paths(text: str) -> str:
    """Remove the paths of the server's folders from a text for visitors."""
    for folder, name in ((data_folder(), "data"), (Path(__file__).parents[1], "app")):
        for place in {str(folder), str(folder.absolute()), str(folder.resolve())}:
            if len(place) > 1 and Path(place).is_absolute():
                text = text.replace(place, name)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
