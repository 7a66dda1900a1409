"""Fetching one large zip archive over HTTP: with progress, bounded patience, and resumption.

`target.part` grows beside the target, and `target.part.json` says which file it is a part of.  A
transfer that breaks goes on from there by a Range request, at once or in another week; if the
server has another file by then, or gives no parts, it begins anew.
"""

import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from captioning.datasets.download.progress import Hooks, Progress, RateMeter, gigabytes, megabytes
from captioning.errors import DownloadError

__all__ = ["PATIENCE", "Patience", "transfer"]

_CHUNK = 1 << 18
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_PASSING = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds.

    Attributes:
        answer: For the head of its answer with all that comes before: looking up the address,
            connecting, redirections.  Short, since without a network nothing else happens.
        silence: Between two pieces of the file.
        attempts: How many breaks in a row may bring nothing new.
        pause: After the first such break; doubled after each one more.
    """

    answer: float = 8.0
    silence: float = 20.0
    attempts: int = 5
    pause: float = 1.0


PATIENCE = Patience()


@dataclass(frozen=True)
class _Identity:
    """What tells one version of the file at an address from another."""

    url: str
    etag: str | None
    total: int


class _BrokenTransfer(Exception):
    """The transfer broke, and may go on with another request."""


def transfer(
    url: str,
    target: Path,
    *,
    hooks: Hooks,
    require_room: Callable[[int, int | None], None],
    most_bytes: int,
    patience: Patience = PATIENCE,
) -> None:
    """Fetch the zip archive at `url` into `target`, going on from an earlier part of it.

    Args:
        url: The address, http or https.
        target: The file to write; its folder exists.
        hooks: Told and asked meanwhile.
        require_room: Called before anything is written, with the bytes that are there and their
            total (None where the server does not tell it); raises if there is no room.
        most_bytes: A larger file is refused.
        patience: How long to wait for the server.

    Raises:
        DownloadStopped: Somebody wanted it to stop.  The part is kept, as it is for:
        DownloadError: No connection, a refusal, no room, or no end of the breaks.
    """
    try:
        _Transfer(url, target, hooks, require_room, most_bytes, patience).run()
    except requests.RequestException as error:
        raise DownloadError(_no_connection(url, error)) from error
    except OSError as error:
        raise DownloadError(f"'{target}' cannot be written ({error.strerror}).") from error


class _Transfer:
    """One call of `transfer`."""

    def __init__(
        self,
        url: str,
        target: Path,
        hooks: Hooks,
        require_room: Callable[[int, int | None], None],
        most_bytes: int,
        patience: Patience,
    ) -> None:
        self.url = url
        self.target = target
        self.part = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")
        self.hooks = hooks
        self.require_room = require_room
        self.most_bytes = most_bytes
        self.patience = patience
        self.meter = RateMeter()
        self.answered = False
        self.told = 0.0

    def run(self) -> None:
        """Ask until the file is whole, then move it into place."""
        fruitless = 0
        while True:
            have, identity = self._begun()
            total = None if identity is None else identity.total
            if have == total:
                break
            self.hooks.tell(Progress("connecting", have, total))
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
        """Return how many bytes there are to go on from, and of which file."""
        try:
            identity = _Identity(**json.loads(self.note.read_text(encoding="utf-8")))
            have = self.part.stat().st_size
            fits = identity.url == self.url and have <= identity.total
        except (OSError, ValueError, TypeError):
            return 0, None
        return (have, identity) if fits else (0, None)

    def _ask(self, have: int, identity: _Identity | None) -> None:
        """Request what is missing and write it.

        Raises:
            _BrokenTransfer: It may go on with another request.
        """
        try:
            response = _answer(self.url, have, self.patience, self.hooks)
        except requests.RequestException as error:
            if not self.answered:  # better to say at once that there is no network
                raise
            raise _BrokenTransfer("the connection is gone") from error
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
                raise _BrokenTransfer("the server has another file than the one begun")
            else:
                raise DownloadError(_refusal(self.url, response))

    def _begin(self, response: requests.Response) -> int | None:
        """Note which file is coming; return its size if the server tells it."""
        self._forget()
        length = response.headers.get("Content-Length", "")
        if not length.isdigit():
            return None  # without a size there is no telling a part from the whole: no note
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
            raise _BrokenTransfer(f"{done:,} of {total:,} bytes came")

    def _tell(self, done: int, total: int | None) -> None:
        """Tell how far it is ten times a second; chunks come by the thousand."""
        if done == total or time.monotonic() - self.told > 0.1:
            self.told = time.monotonic()
            self.hooks.tell(Progress("downloading", done, total, self.meter.rate(done)))
        else:
            self.hooks.check()

    def _check_start(self, chunk: bytes) -> None:
        if not chunk.startswith(_ZIP_STARTS):
            self._forget()
            found = "a web page" if b"<" in chunk[:200] else "another file"
            raise DownloadError(
                f"{_host(self.url)} sent {found} in place of the archive. Perhaps this network "
                "wants a sign-in first: open any page in a browser to see."
            )

    def _too_large(self, found: str) -> str:
        self._forget()
        return (
            f"{_host(self.url)} {found}, and the archive has at most "
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
            f"The transfer from {_host(self.url)} broke {self.patience.attempts} times in a row "
            f"({broken}). {megabytes(have)} have come and are kept; start again to go on from "
            "there."
        )


def _answer(url: str, have: int, patience: Patience, hooks: Hooks) -> requests.Response:
    """Ask for the file from byte `have` on, and return the answer before its body is read.

    Looking up an address knows no time limit, and each redirection begins a new one, so this
    happens in a thread that is left behind when it takes too long.
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
    """Return what has come, without waiting for more; nothing at the end.

    Raises:
        _BrokenTransfer: The connection broke, or was silent for too long.
    """
    try:
        # `iter_content` waits until a chunk is full, and loses what it holds when that fails.
        return response.raw.read1(_CHUNK) or b""
    except urllib3.exceptions.HTTPError as error:
        raise _BrokenTransfer("the connection broke") from error


def _goes_on(response: requests.Response, have: int, identity: _Identity) -> bool:
    """Tell whether an answer goes on with the same file at the byte that was asked for."""
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
            f"{host} cannot be trusted: its certificate is not accepted here. A filter in this "
            "network, or a wrong clock on this machine, does that."
        )
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer: there is no network, or something in between blocks it."
    if isinstance(error, requests.ConnectionError):
        return f"{host} cannot be reached: there is no network, or no way from it to there."
    return f"{host} cannot be asked ({error})."


def _refusal(url: str, response: requests.Response) -> str:
    reasons = {
        401: "it wants a sign-in",
        403: "it refuses this machine or network",
        404: "it has no such file any more",
        429: "it has had too many requests from here; wait an hour",
    }
    status = response.status_code
    reason = reasons.get(status, response.reason or "no reason given")
    return f"{_host(url)} answered with status {status}: {reason}."


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
