"""Who may ask, how much a request may hold, and how many are served at a time."""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PART = 1 << 16


def problem(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error as JSON.

    Args:
        status: the HTTP status.
        kind: a word for programs.
        message: a sentence for people.
        headers: further headers of the response.
    """
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


class Doorkeeper:
    """An ASGI middleware that refuses requests from other websites and bodies that are too long.

    A web page from elsewhere can send a form to this computer; its `Origin` gives it away.  A name
    that somebody else controls can lead here (DNS rebinding), so only known names are answered.

    Args:
        app: what answers the requests that pass; it turns an HTTPException into a response.
        hosts: the names under which this server is known; none means that this is checked before.
        origins: other websites that may ask.
        max_bytes: the longest body.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str], origins: Collection[str], max_bytes: int
    ) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._origins = origins
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            """Return the next part of the body, of a size that is worth a parser's call."""
            nonlocal taken
            body = bytearray()
            while (message := await receive())["type"] == "http.request":
                body += message.get("body", b"")
                if taken + len(body) > self._max_bytes:
                    raise HTTPException(413, self._too_long)
                if len(body) >= _PART or not message.get("more_body", False):
                    break
            taken += len(body)
            whole = message["type"] == "http.request"
            return {**message, "body": bytes(body)} if whole else message

        await self._app(scope, counted, send)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        name, asking = _split(f"//{host}").hostname or "", _split(origin or "").netloc.lower()
        if self._hosts and name not in self._hosts:
            return problem(400, "unknown_host", "This server is not known by that name.")
        if origin is not None and origin not in self._origins and asking != host:
            return problem(403, "forbidden", "Pages of other websites may not use this server.")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            return problem(413, "content_too_large", self._too_long)
        return None

    @property
    def _too_long(self) -> str:
        return f"The request is longer than the {self._max_bytes / 1e6:.0f} MB accepted."


def _split(address: str) -> SplitResult:
    """Return the parts of an address; all are empty if it cannot be read."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


class Admission:
    """Counts the requests being served, all together and by the address they come from.

    Args:
        most: of all clients.
        most_per_client: of one address.
    """

    def __init__(self, *, most: int, most_per_client: int) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._served: Counter[str] = Counter()

    @contextlib.contextmanager
    def admit(self, client: str) -> Iterator[None]:
        """Count a request as long as the block lasts.

        Raises:
            HTTPException: 429 if this client has too many already, 503 if all have.
        """
        later = {"Retry-After": "1"}
        if self._served[client] >= self._most_per_client:
            raise HTTPException(429, "Too many requests at once from this address.", later)
        if self._served.total() >= self._most:
            raise HTTPException(503, "The server is busy. Try again in a moment.", later)
        self._served[client] += 1
        try:
            yield
        finally:
            self._served[client] -= 1
            if not self._served[client]:
                del self._served[client]
