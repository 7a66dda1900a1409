"""Refuse requests before Streamlit sees them: its metrics, and uploads beyond the limits."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

__all__ = ["Guard"]

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    path = scope["path"]
    if path.endswith(_METRICS):
        return PlainTextResponse("Not found", 404)
    if scope["method"] != "PUT" or _UPLOADS not in path:
        return None
    length = dict(scope["headers"]).get(b"content-length", b"")
    if not length.isdigit():
        return PlainTextResponse("The length of the file is missing.", 411)
    session = path.partition(_UPLOADS)[2].partition("/")[0]
    if not _fits(session, int(length)):
        return PlainTextResponse("Too many files at once: remove some, or reload the page.", 413)
    return None


def _fits(session: str, count: int) -> bool:
    files = get_instance().uploaded_file_mgr
    if not isinstance(files, MemoryUploadedFileManager):
        return True
    kept = {
        name: sum(len(file.data) for file in list(content.values()))
        for name, content in list(files.file_storage.items())
    }
    room = MOST_SESSION_BYTES - kept.get(session, 0)
    return count <= min(room, MOST_SERVER_BYTES - sum(kept.values()))
