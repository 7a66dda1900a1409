"""`serve`: the HTTP API alone, without the app."""

import argparse
from typing import Any

from captioning.errors import ConfigError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("serve", help="answer HTTP requests with captions")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this computer")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    parser.add_argument("--model", help="the model for requests that name none")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name or address that clients use for this machine; may be given again",
    )
    parser.add_argument(
        "--allowed-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a website whose pages may use the API, such as https://example.org",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=16,
        metavar="N",
        help="the most photos captioned together; 1 captions one by one (default: 16)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl+C.

    Raises:
        ConfigError: the API is not installed.
        BundleError: there is no such model.
    """
    try:
        import uvicorn

        from captioning.api import create_app
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise ConfigError(
            "This needs Starlette and uvicorn. Install them: pip install 'captioning[api]'"
        ) from error
    app = create_app(
        model=arguments.model,
        hosts=known_hosts(arguments.host, arguments.allowed_host),
        origins=arguments.allowed_origin,
        batch_size=arguments.batch_size,
    )
    shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    model = app.state.service.bundle().name
    print(f"Captions by {model} on http://{shown}:{arguments.port} (docs: /docs)", flush=True)
    uvicorn.run(
        app, host=arguments.host, port=arguments.port, log_level="warning", server_header=False
    )
    return 0


def known_hosts(host: str, more: list[str]) -> list[str]:
    """Return the names under which a server that listens on `host` answers."""
    from captioning.classroom import local_address

    own = [local_address()] if host in _EVERYWHERE else [host]
    return [*_LOOPBACK, *own, *more]
