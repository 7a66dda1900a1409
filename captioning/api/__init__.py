"""The HTTP API: routes next to the app, or a server of its own.

`create_app` gives an ASGI application (Starlette), `app_routes` the routes that serve it from
within another one.  docs/api.md describes what they answer.
"""

from captioning.api.server import app_routes, create_app

__all__ = ["app_routes", "create_app"]
