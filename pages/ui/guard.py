"""Refuse requests before Streamlit sees them: its metrics, and uploads beyond the limits."""

from collections import Counter

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

MOST_SESSION_BYTES = 1_000_000_000
MOST_SERVER_BYTES = 6_000_000_000
_UPLOADS = "/_stcore/upload_file/"
_METRICS = "/_stcore/metrics"


class Guard:
    """An ASGI middleware; Starlette's own middleware checks the host names.

    Args:
        app: the application that answers the accepted requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._coming: Counter[str] = Counter()  # bytes of uploads under way, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].endswith(_METRICS):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif scope["method"] == "PUT" and _UPLOADS in scope["path"]:
            await self._upload(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        # In chunks, more may come than the length says.
        if not length.isdigit() or b"transfer-encoding" in headers:
            answer = PlainTextResponse("The length of the file is missing.", 411)
            return await answer(scope, receive, send)
        session, count = scope["path"].partition(_UPLOADS)[2].partition("/")[0], int(length)
        if not self._fits(session, count):
            text = "Too many files at once: remove some, or reload the page."
            return await PlainTextResponse(text, 413)(scope, receive, send)
        self._coming[session] += count
        try:
            await self.app(scope, receive, send)
        finally:
            self._coming[session] -= count
            self._coming += Counter()  # forgets sessions without an upload

    def _fits(self, session: str, count: int) -> bool:
        files = get_instance().uploaded_file_mgr
        if not isinstance(files, MemoryUploadedFileManager):
            return True
        kept = Counter(self._coming)
        for name, content in list(files.file_storage.items()):
            kept[name] += sum(len(file.data) for file in list(content.values()))
        room = MOST_SESSION_BYTES - kept[session]
        return count <= min(room, MOST_SERVER_BYTES - kept.total())
