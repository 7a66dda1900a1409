"""The API's document as a page for people; it loads nothing from elsewhere."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}

_STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; font-size: 1.2rem } pre { overflow-x: auto; padding: .75rem }
pre, code { background: color-mix(in srgb, currentColor 8%, transparent) }
table { border-collapse: collapse } td, th { padding: .2rem 1rem .2rem 0; text-align: left }
td { vertical-align: top }
"""


def page_of(document: dict[str, Any], *, address: str) -> str:
    """Write an OpenAPI document as HTML.

    Args:
        document: with its schemas under `components`.
        address: where the API is, without a `/` at the end, for the examples.
    """
    info = document["info"]
    operations = [
        "".join(_operation(document, path, method, operation, address))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title} API</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>{title} API {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])} For programs: "
        '<a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(operations)}</html>"
    )


def _operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any], address: str
) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation['summary'])}.</p>"
    upload = ""
    if "requestBody" in operation:
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        yield _table("Form", _fields(form))
        yield (
            f'<form action="{escape(path[1:])}" method="post" enctype="multipart/form-data">'
            '<label>Try it: <input type="file" name="image" required></label> '
            "<button>Send</button></form>"
        )
        upload = " -F image=@photo.jpg"
    yield f"<pre>curl{upload} {escape(address + path)}</pre>"
    yield _table("Answers", [(s, r["description"]) for s, r in operation["responses"].items()])
    answer = next(iter(operation["responses"]["200"]["content"].values()))
    if "example" in answer:
        yield f"<pre>{escape(json.dumps(answer['example'], indent=2))}</pre>"
    if name := answer["schema"].get("$ref", "").rpartition("/")[2]:
        yield _table("Content", _fields(document["components"]["schemas"][name]))


def _fields(schema: dict[str, Any], under: str = "") -> list[tuple[str, str]]:
    """List the fields of an object and of those in it: name, and type with description."""
    rows = []
    for name, field in schema.get("properties", {}).items():
        kinds = field.get("type", "one of " + json.dumps(field.get("enum")))
        kind = " or ".join(kinds) if isinstance(kinds, list) else kinds
        low, high = field.get("minimum"), field.get("maximum")
        bounds = f", {low} to {high}" if low is not None and high is not None else ""
        rows.append((under + name, f"{kind}{bounds}. {field.get('description', '')}"))
        rows += _fields(field, f"{under}{name}.")
        rows += _fields(field.get("items", {}), f"{under}{name}[].")
    return rows


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    cells = (f"<tr><td><code>{escape(a)}</code><td>{escape(b)}" for a, b in rows)
    return f"<table><tr><th>{head}<th>{''.join(cells)}</table>"
