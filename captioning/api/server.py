"""The routes of the API."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from captioning import __version__
from captioning.api.document import DOCUMENT, HEADERS, page_of
from captioning.api.forms import MAX_BODY_BYTES, open_form, options_of, photo_of
from captioning.api.limits import Admission, Doorkeeper, problem
from captioning.api.service import CaptionService, Load, load_once
from captioning.classroom import without_paths
from captioning.errors import BundleError, CaptioningError, ConfigError, ImageError, WeightsError

UPLOAD_SECONDS = 60
"""How long a client may take to send its request."""

_KINDS = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "content_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "service_unavailable",
}
_STATUS = {ImageError: 422, ConfigError: 422, BundleError: 503, WeightsError: 503}


def create_app(
    *,
    load: Load = load_once,
    model: str | None = None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
    batch_size: int = 16,
    most: int = 64,
    most_per_client: int = 32,
) -> Starlette:
    """Make an ASGI application that captions photos.

    Args:
        load: returns the model of a bundle, ready to write.
        model: name or folder of the bundle that captions when a request names none.
        hosts: the names under which the server is known; none admits all.
        origins: websites whose pages may use the API (CORS), such as "https://example.org".
        batch_size: the most photos that are captioned together.
        most: requests served at a time; another is answered with 503.
        most_per_client: those of one address; another is answered with 429.

    Raises:
        BundleError: there is no such model.
    """
    middleware = [
        Middleware(Doorkeeper, hosts=hosts, origins=origins, max_bytes=MAX_BODY_BYTES),
    ]
    if origins:
        middleware.append(Middleware(CORSMiddleware, allow_origins=list(origins)))
    app = Starlette(
        routes=[
            Route("/model/predict", predict, methods=["POST"]),
            Route("/v1/caption", caption, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health", health),
            Route("/openapi.json", openapi),
            Route("/docs", docs),
        ],
        middleware=middleware,
        exception_handlers={
            HTTPException: _http_error,
            CaptioningError: _captioning_error,
            ClientDisconnect: _client_left,
            Exception: _unexpected_error,
        },
    )
    app.state.service = CaptionService(load, model=model, batch_size=batch_size)
    app.state.admission = Admission(most=most, most_per_client=most_per_client)
    return app


def app_routes(app: Starlette) -> list[BaseRoute]:
    """Return the routes that serve the API from within another Starlette application."""
    # A route to an application, not to a function, leaves other methods and errors to it.
    return [Route(route.path, app) for route in app.routes if isinstance(route, Route)]


async def predict(request: Request) -> Response:
    """Caption a photo, in the form of IBM's Model Asset Exchange."""
    async with _form(request) as form:
        answer = await _service(request).caption(photo_of(form))
    return JSONResponse(
        {
            "status": "ok",
            "predictions": answer.predictions(),
            "confidence": answer.caption.confidence,
            "doubtful": answer.caption.doubtful,
        }
    )


async def caption(request: Request) -> Response:
    """Caption a photo and return everything that is known about the caption."""
    async with _form(request) as form:
        options = options_of(form)
        answer = await _service(request).caption(
            photo_of(form), model=options.model, changes=options.changes
        )
    return JSONResponse(answer.to_dict(options.alternatives))


async def health(request: Request) -> Response:
    """Return whether there is a model to caption with."""
    model = _service(request).bundle().name
    return JSONResponse({"status": "ok", "version": __version__, "model": model})


async def models(request: Request) -> Response:
    """List the models."""
    default, found = _service(request).models()
    listed = [
        {
            "name": bundle.name,
            "version": bundle.version,
            "default": bundle.name == default,
            "ready": bundle.has_weights,
            "encoder": bundle.encoder.name,
            "decoder": bundle.decoder.kind,
            "words": len(bundle.vocabulary),
            "decoding": bundle.decoding.to_dict(),
        }
        for bundle in found
    ]
    return JSONResponse({"models": listed})


async def openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return JSONResponse(DOCUMENT)


async def docs(request: Request) -> Response:
    """Return the document as a page."""
    address = str(request.base_url).rstrip("/")
    return HTMLResponse(page_of(DOCUMENT, address=address), headers=HEADERS)


def _service(request: Request) -> CaptionService:
    service: CaptionService = request.app.state.service
    return service


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    """Count the request as served, and give its form."""
    client = request.client.host if request.client else ""
    with request.app.state.admission.admit(client):
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                form = await open_form(request)
        except TimeoutError:
            raise HTTPException(408, "The request took too long to arrive.") from None
        try:
            yield form
        finally:
            await form.close()


def _http_error(request: Request, error: Any) -> Response:
    kind = _KINDS.get(error.status_code, "error")
    return problem(error.status_code, kind, error.detail, error.headers)


def _captioning_error(request: Request, error: Exception) -> Response:
    """Answer with the error's text, without the places of the server's folders."""
    status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    return problem(status, kind, without_paths(str(error)))


def _client_left(request: Request, error: Exception) -> Response:
    return problem(400, "client_left", "The request ended early.")


def _unexpected_error(request: Request, error: Exception) -> Response:
    """Answer; Starlette raises the error again afterwards, for the log."""
    return problem(500, "internal_error", "Something went wrong on the server.")
