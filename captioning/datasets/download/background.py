"""Download in a separate process, which survives a closed tab or a restarted server.

The process writes its progress to `downloads/flickr8k.json` in the data folder, where any page can
read it; it holds a lock file while it runs, and stops when a file `flickr8k.stop` appears.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from captioning.datasets.download.installing import Installed, fetch_flickr8k, install_zip
from captioning.datasets.download.places import downloads_folder, writable_folder
from captioning.datasets.download.progress import Progress
from captioning.errors import CaptioningError, DownloadError, DownloadStopped, StorageError
from captioning.processes import hold, is_held, start_detached
from captioning.storage import data_folder, read_json, write_json

# The working directory of `python -m captioning`.
_HOME = Path(__file__).resolve().parents[3]
_WRITE_EVERY = 0.5
# Maximum time from the start of a process until it holds the lock.
_BIRTH_SECONDS = 15.0

_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class DownloadState:
    """The state of the last download.

    Attributes:
        status: "none" (no download yet), "running", "done", "failed" or "stopped".
        message: The result or the error for the user, in a few lines; "" while running.
        progress: The progress; None if still unknown.
        folder: The folder of the data set once it is done.
        updated: Time of this state, in seconds since 1970.
    """

    status: str = "none"
    message: str = ""
    progress: Progress | None = None
    folder: Path | None = None
    updated: float = 0.0

    @property
    def running(self) -> bool:
        """Whether the download is running."""
        return self.status == "running"


def start_download(archive: Path | None = None) -> DownloadState:
    """Start to download Flickr8k in a separate process; poll `download_state` for the progress.

    If a download is already running, only return its state.

    Args:
        archive: A zip archive to unpack instead of downloading one.

    Raises:
        DownloadError: The process cannot be started, or the data folder cannot be written.
    """
    state = download_state()
    if state.running:
        return state
    folder = writable_folder(downloads_folder())
    _stop_file().unlink(missing_ok=True)
    command = [sys.executable, "-m", "captioning", "data", "download"]
    command += ["--zip", os.path.abspath(os.path.expanduser(archive))] if archive else []
    environment = {"CAPTIONING_DATA": str(data_folder().absolute())}
    log = folder / "flickr8k.log"
    try:
        _write(DownloadState("running", updated=time.time()))
        log.unlink(missing_ok=True)
        child = start_detached(command, folder=_HOME, log=log, environment=environment)
    except OSError as error:
        _write(DownloadState("failed", f"The download cannot be started ({error.strerror})."))
        raise DownloadError(f"The download cannot be started ({error.strerror}).") from error
    _children.append(child)
    return download_state()


def stop_download() -> None:
    """Stop the download within seconds; the part received so far is kept."""
    if download_state().running:
        _stop_file().touch()


def download_state() -> DownloadState:
    """Return the state of the last download; fast, and never raises."""
    _children[:] = [child for child in _children if child.poll() is None]
    state = _read()
    if state.running and not is_held(_lock_file()):
        state = _read()  # it may have ended in between
        age = time.time() - state.updated  # negative if the clock has been set back
        newborn = state.progress is None and 0 <= age < _BIRTH_SECONDS
        if state.running and not newborn:
            message = (
                "The download ended unexpectedly. Start it again to resume it. Its error "
                f"messages, if any, are in '{downloads_folder() / 'flickr8k.log'}'."
            )
            return replace(state, status="failed", message=message)
    return state


def run_download(
    archive: Path | None = None,
    *,
    on_progress: Callable[[Progress], object] = lambda progress: None,
) -> Installed:
    """Download Flickr8k or unpack `archive` in this process, and publish its state.

    Args:
        archive: A zip archive to unpack instead of downloading one.
        on_progress: Called often with the progress.

    Raises:
        DownloadError: Another download is running, or as in `fetch_flickr8k`.
        DatasetError: As in `fetch_flickr8k` and `install_zip`.
    """
    writable_folder(downloads_folder())
    lock = hold(_lock_file(), patience=1.0)  # `is_held` takes it for a moment
    if lock is None:
        raise DownloadError("A download is already running in another window or terminal.")
    with lock:
        recorder = _Recorder(on_progress)
        try:
            if archive is None:
                done = fetch_flickr8k(on_progress=recorder.report, should_stop=_stop_file().exists)
            else:
                done = install_zip(
                    archive, on_progress=recorder.report, should_stop=_stop_file().exists
                )
        except BaseException as error:
            stopped = isinstance(error, DownloadStopped | KeyboardInterrupt)
            recorder.end("stopped" if stopped else "failed", _message(error))
            raise
        finally:
            _stop_file().unlink(missing_ok=True)
        recorder.end("done", " ".join(done.sentences()), done.dataset.root)
        return done


class _Recorder:
    """Writes the state of a download at a limited rate."""

    def __init__(self, on_progress: Callable[[Progress], object]) -> None:
        self._on_progress = on_progress
        self._state = DownloadState("running", progress=Progress("connecting"))
        self._written = 0.0

    def report(self, progress: Progress) -> None:
        """Record the progress and pass it on."""
        another = self._state.progress is None or self._state.progress.stage != progress.stage
        self._state = replace(self._state, progress=progress)
        if another or time.monotonic() - self._written > _WRITE_EVERY:
            self._write()
        self._on_progress(progress)

    def end(self, status: str, message: str, folder: Path | None = None) -> None:
        """Record the result."""
        self._state = replace(self._state, status=status, message=message, folder=folder)
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        _write(replace(self._state, updated=time.time()))


def _message(error: BaseException) -> str:
    if isinstance(error, CaptioningError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Stopped. Start it again to resume it."
    return f"The download failed with an unexpected error: {error!r}."


def _write(state: DownloadState) -> None:
    """Replace the state file; errors such as a full disk do not stop the download."""
    content: dict[str, Any] = asdict(state)
    content["folder"] = str(state.folder) if state.folder else None
    with suppress(OSError):
        write_json(_state_file(), content)


def _read() -> DownloadState:
    try:
        content = read_json(_state_file(), dict)
        progress = Progress(**content.pop("progress")) if content["progress"] else None
        folder = Path(content.pop("folder")) if content["folder"] else None
        content = {k: v for k, v in content.items() if k in ("status", "message", "updated")}
        return DownloadState(progress=progress, folder=folder, **content)
    except (StorageError, ValueError, KeyError, TypeError, AttributeError):
        return DownloadState()


def _state_file() -> Path:
    return downloads_folder() / "flickr8k.json"


def _stop_file() -> Path:
    return downloads_folder() / "flickr8k.stop"


def _lock_file() -> Path:
    return downloads_folder() / "flickr8k.lock"
