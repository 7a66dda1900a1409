"""Download one large zip archive over HTTP, with progress, timeouts and resumption.

The data are written to `target.part`, and `target.part.json` identifies the file on the server.  An
interrupted transfer is resumed with a Range request, at once or in a later call; if the server has
another file by then, or does not support ranges, the download restarts.
"""

import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from captioning.datasets.download.progress import Hooks, Progress, RateMeter, gigabytes, megabytes
from captioning.errors import DownloadError, StorageError
from captioning.storage import read_json

_CHUNK = 1 << 18
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_PASSING = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """Timeouts in seconds, and retries.

    Attributes:
        answer: Timeout for the response headers, including name lookup, connecting and
            redirections.  Short, to detect a missing network quickly.
        silence: Timeout between two chunks of the file.
        attempts: Maximum number of consecutive failures without new data.
        pause: Pause after the first failure; doubled after each further one.
    """

    answer: float = 8.0
    silence: float = 20.0
    attempts: int = 5
    pause: float = 1.0


PATIENCE = Patience()


@dataclass(frozen=True)
class _Identity:
    """Identifies one version of the file at an address."""

    url: str
    etag: str | None
    total: int


class _BrokenTransfer(Exception):
    """The transfer was interrupted and can be retried."""


def transfer(
    url: str,
    target: Path,
    *,
    hooks: Hooks,
    require_room: Callable[[int, int | None], None],
    most_bytes: int,
    patience: Patience = PATIENCE,
) -> None:
    """Download the zip archive at `url` to `target`, resuming an earlier download.

    Args:
        url: The address, http or https.
        target: The file to write; its folder exists.
        hooks: Report progress and may stop it.
        require_room: Called before writing, with the bytes received so far and the total (None if
            unknown); raises if there is not enough disk space.
        most_bytes: Larger files are refused.
        patience: Timeouts and retries.

    Raises:
        DownloadStopped: A person stopped it.  The received part is kept, also for:
        DownloadError: No connection, access refused, no disk space, or too many failures.
    """
    try:
        _Transfer(url, target, hooks, require_room, most_bytes, patience).run()
    except requests.RequestException as error:
        raise DownloadError(_no_connection(url, error)) from error
    except OSError as error:
        raise DownloadError(f"'{target}' cannot be written ({error.strerror}).") from error


@dataclass
class _Transfer:
    """One call of `transfer`, with its arguments."""

    url: str
    target: Path
    hooks: Hooks
    require_room: Callable[[int, int | None], None]
    most_bytes: int
    patience: Patience
    meter: RateMeter = field(default_factory=RateMeter)
    answered: bool = False
    reported: float = 0.0

    def __post_init__(self) -> None:
        self.part = self.target.with_name(self.target.name + ".part")
        self.note = self.target.with_name(self.target.name + ".part.json")

    def run(self) -> None:
        """Send requests until the file is complete, then move it into place."""
        fruitless = 0
        while True:
            have, identity = self._begun()
            total = None if identity is None else identity.total
            if have == total:
                break
            self.hooks.report(Progress("connecting", have, total))
            try:
                self._ask(have, identity)
                break
            except _BrokenTransfer as broken:
                came = self._begun()[0]
                fruitless = 0 if came > have else fruitless + 1
                if fruitless >= self.patience.attempts:
                    raise DownloadError(self._gave_up(came, broken)) from broken
                self._wait(self.patience.pause * 2**fruitless / 2)
        os.replace(self.part, self.target)
        self.note.unlink(missing_ok=True)

    def _begun(self) -> tuple[int, _Identity | None]:
        """Return the number of bytes received earlier, and the identity of their file."""
        try:
            identity = _Identity(**read_json(self.note, dict))
            have = self.part.stat().st_size
            fits = identity.url == self.url and have <= identity.total
        except (OSError, StorageError, TypeError):
            return 0, None
        return (have, identity) if fits else (0, None)

    def _ask(self, have: int, identity: _Identity | None) -> None:
        """Request the missing part and write it.

        Raises:
            _BrokenTransfer: The transfer can be retried.
        """
        try:
            response = _answer(self.url, have, self.patience, self.hooks)
        except requests.RequestException as error:
            if not self.answered:  # report a missing network at once
                raise
            raise _BrokenTransfer("the connection was lost") from error
        with response:
            if response.status_code in _PASSING and self.answered:
                raise _BrokenTransfer(f"the server answered {response.status_code}")
            self.answered = True
            if identity is not None and _goes_on(response, have, identity):
                self._receive(response, have, identity.total)
            elif response.status_code == 200:
                self._receive(response, 0, self._begin(response))
            elif response.status_code in (206, 416):
                self._forget()
                raise _BrokenTransfer("the file on the server has changed")
            else:
                raise DownloadError(_refusal(self.url, response))

    def _begin(self, response: requests.Response) -> int | None:
        """Record the identity of the file; return its size if known."""
        self._forget()
        length = response.headers.get("Content-Length", "")
        if not length.isdigit():
            return None  # without a size, a part cannot be recognised as such: record nothing
        identity = _Identity(self.url, response.headers.get("ETag"), int(length))
        self.note.write_text(json.dumps(asdict(identity)), encoding="utf-8")
        return identity.total

    def _receive(self, response: requests.Response, done: int, total: int | None) -> None:
        if total is not None and total > self.most_bytes:
            raise DownloadError(self._too_large(f"offers {gigabytes(total)}"))
        self.require_room(done, total)
        with open(self.part, "ab" if done else "wb") as file:
            while chunk := _next_chunk(response):
                if done == 0:
                    self._check_start(chunk)
                done += len(chunk)
                if done > self.most_bytes:
                    raise DownloadError(self._too_large("sends more"))
                file.write(chunk)
                self._tell(done, total)
        if total is not None and done != total:
            raise _BrokenTransfer(f"received {done:,} of {total:,} bytes")

    def _tell(self, done: int, total: int | None) -> None:
        """Report the progress at most ten times per second."""
        if done == total or time.monotonic() - self.reported > 0.1:
            self.reported = time.monotonic()
            self.hooks.report(Progress("downloading", done, total, self.meter.rate(done)))
        else:
            self.hooks.check()

    def _check_start(self, chunk: bytes) -> None:
        if not chunk.startswith(_ZIP_STARTS):
            self._forget()
            found = "a web page" if b"<" in chunk[:200] else "another file"
            raise DownloadError(
                f"{_host(self.url)} sent {found} instead of the archive. Perhaps this network "
                "requires a sign-in: open any page in a browser to check."
            )

    def _too_large(self, found: str) -> str:
        self._forget()
        return (
            f"{_host(self.url)} {found}, but the archive has at most "
            f"{gigabytes(self.most_bytes)}: it must be another file."
        )

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.hooks.check()
            time.sleep(min(left, 0.2))

    def _gave_up(self, have: int, broken: _BrokenTransfer) -> str:
        return (
            f"The transfer from {_host(self.url)} failed {self.patience.attempts} times in a row "
            f"({broken}). {megabytes(have)} have arrived and are kept; start again to "
            "continue from there."
        )


def _answer(url: str, have: int, patience: Patience, hooks: Hooks) -> requests.Response:
    """Request the file from byte `have` on, and return the response before its body is read.

    Name lookup has no timeout, and each redirection starts a new one, so the request runs in a
    thread that is abandoned when it takes too long.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "captioning"}
    if have:
        headers["Range"] = f"bytes={have}-"
    limits = (patience.answer, patience.silence)
    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()
    abandoned = threading.Event()

    def ask() -> None:
        try:
            response = requests.get(url, headers=headers, stream=True, timeout=limits)
        except Exception as error:
            answers.put(error)
            return
        if abandoned.is_set():
            response.close()
        answers.put(response)

    threading.Thread(target=ask, daemon=True, name="download").start()
    deadline = time.monotonic() + patience.answer
    try:
        while time.monotonic() < deadline:
            try:
                answer = answers.get(timeout=0.1)
            except queue.Empty:
                hooks.check()
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise requests.Timeout(f"no answer within {patience.answer:g} seconds")
    except BaseException:
        abandoned.set()
        raise


def _next_chunk(response: requests.Response) -> bytes:
    """Return the received bytes without waiting for more; empty at the end.

    Raises:
        _BrokenTransfer: The connection was lost, or silent for too long.
    """
    try:
        # `iter_content` waits until a chunk is full, and loses a partial chunk on errors.
        return response.raw.read1(_CHUNK) or b""
    except urllib3.exceptions.HTTPError as error:
        raise _BrokenTransfer("the connection was interrupted") from error


def _goes_on(response: requests.Response, have: int, identity: _Identity) -> bool:
    """Return whether a response continues the same file at the requested byte."""
    span = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    return (
        response.status_code == 206
        and span is not None
        and (int(span[1]), int(span[2])) == (have, identity.total)
        and response.headers.get("ETag") == identity.etag
    )


def _no_connection(url: str, error: requests.RequestException) -> str:
    host = _host(url)
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"{host} cannot be trusted: its certificate is invalid. The cause may be a filter in "
            "this network, or a wrong clock on this machine."
        )
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer: there is no network, or a firewall blocks it."
    if isinstance(error, requests.ConnectionError):
        return f"{host} cannot be reached: there is no network, or no route to it."
    return f"The request to {host} failed ({error})."


def _refusal(url: str, response: requests.Response) -> str:
    reasons = {
        401: "it requires a sign-in",
        403: "it refuses this machine or network",
        404: "the file is no longer there",
        429: "there were too many requests from here; wait an hour",
    }
    status = response.status_code
    reason = reasons.get(status, response.reason or "no reason given")
    return f"{_host(url)} answered with status {status}: {reason}."


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
