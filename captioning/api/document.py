"""The OpenAPI document of the API, written by hand, and as a page; tests hold it to the routes."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from captioning import __version__
from captioning.api.forms import MOST_ALTERNATIVES, MOST_CHARACTERS
from captioning.config import MOST_REQUIRED_WORDS

Schema = dict[str, Any]

ERRORS = {
    400: "The form is damaged, or the server is not known by the name in the address.",
    403: "The request comes from a page of another website.",
    408: "The request took too long to arrive.",
    413: "The request is longer than 50 MB.",
    415: "The request is no multipart form.",
    422: "The photo cannot be read, or an option has a wrong value.",
    429: "Too many requests at once from this address; Retry-After says when to try again.",
    503: "Too many requests at once, or the model cannot be loaded.",
}
_PHOTO: Schema = {
    "type": "string",
    "format": "binary",
    "description": "The photo as a file: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC; at most "
    "50 MB, 80 million pixels (HEIC 50, AVIF 25), and 30,000 pixels a side.",
}
_NULLABLE_NUMBER: Schema = {"type": ["number", "null"]}


def _string(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _response(description: str, schema: Schema, example: Any = None) -> Schema:
    content: Schema = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def _form(properties: dict[str, Schema], *, others: bool) -> Schema:
    schema = {
        "type": "object",
        "properties": properties,
        "required": ["image"],
        "additionalProperties": others,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


_OF_A_CAPTION = (400, 403, 408, 413, 415, 422, 429, 503)
_OF_A_PAGE = (400, 403, 503)

_OPTIONS = {
    "model": _string("A model's name; see /v1/models.", format="model", maxLength=MOST_CHARACTERS),
    "beam_width": {
        "type": "integer",
        "minimum": 1,
        "maximum": 20,
        "description": "Beginnings of sentences kept at each step; 1 is greedy search.",
    },
    "length_penalty": {
        "type": "number",
        "minimum": 0,
        "maximum": 2,
        "description": "0 ranks by the sum of the log-probabilities, 1 by their mean.",
    },
    "required_words": _string(
        f"Up to {MOST_REQUIRED_WORDS} words of the model's vocabulary that must occur, with spaces "
        "or commas between them.",
        format="known-words",
        maxLength=MOST_CHARACTERS,
    ),
    "banned_words": _string(
        "Words that must not occur, with spaces or commas between them.",
        format="words",
        maxLength=MOST_CHARACTERS,
    ),
    "no_repeat": {
        "type": "integer",
        "minimum": 0,
        "maximum": 10,
        "description": "No sequence of this many words occurs twice; 0 disables it.",
    },
    "gender_certainty": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "`sentence` has person, people or child where the model is less certain "
        "than this of man, woman, boy or girl; 0 keeps its words.",
    },
    "detail_certainty": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "`sentence` leaves out details whose words have a smaller probability than "
        "this; 0 keeps all details.",
    },
    "alternatives": {
        "type": "integer",
        "minimum": 0,
        "maximum": MOST_ALTERNATIVES,
        "description": "How many other sentences to list; by default all that the search found.",
    },
}

_LOG_PROB: Schema = {"type": "number", "description": "Natural logarithm of the probability."}
_PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_CONFIDENCE: Schema = {
    **_NULLABLE_NUMBER,
    "minimum": 0,
    "maximum": 1,
    "description": "How likely the caption is good; null if the model was never calibrated.",
}
_DOUBTFUL: Schema = {
    "type": "boolean",
    "description": "Whether the caption needs a warning wherever it is shown.",
}

_SCHEMAS = {
    "Error": _object(
        {
            "error": _object(
                {
                    "type": _string("A word for programs."),
                    "message": _string("A sentence for people."),
                }
            )
        }
    ),
    "Predictions": _object(
        {
            "status": {"type": "string", "const": "ok"},
            "predictions": {
                "type": "array",
                "minItems": 1,
                "description": "The caption, then the sentences the search also ended with.",
                "items": _object(
                    {
                        "index": _string("0 for the caption, then 1, 2, ..."),
                        "caption": _string("Words in lower case, without punctuation."),
                        "probability": _PROBABILITY,
                    }
                ),
            },
            "confidence": _CONFIDENCE,
            "doubtful": _DOUBTFUL,
        }
    ),
    "Caption": _object(
        {
            "caption": _string("Words in lower case, without punctuation."),
            "sentence": _string("`neutral` or `caption` with a capital letter and a full stop."),
            "neutral": {
                "type": ["string", "null"],
                "description": "The caption without uncertain details, and with person, people or "
                "child where the model is not certain of a gender; null if that changes nothing.",
            },
            "log_prob": _LOG_PROB,
            "words": {
                "type": "array",
                "items": _object(
                    {"word": _string("A word."), "log_prob": _LOG_PROB, "probability": _PROBABILITY}
                ),
            },
            "alternatives": {
                "type": "array",
                "items": _object(
                    {
                        "caption": _string("Another sentence the search ended with."),
                        "log_prob": _LOG_PROB,
                        "probability": _PROBABILITY,
                    }
                ),
            },
            "confidence": _CONFIDENCE,
            "level": {"enum": ["sure", "fairly sure", "not sure", None]},
            "familiar": {
                "type": ["boolean", "null"],
                "description": "Whether the photo is like those of training.",
            },
            "doubtful": _DOUBTFUL,
            "kind": {
                "type": ["string", "null"],
                "description": "What the picture looks like: photo, or another kind.",
            },
            "model": _object(
                {
                    "name": _string("The model."),
                    "version": _string("Changes with the decoder's weights."),
                }
            ),
            "decoding": {"type": "object", "description": "How the sentence was chosen."},
            "seconds": {"type": "number", "description": "From the decoded photo to the caption."},
        }
    ),
    "Models": _object(
        {
            "models": {
                "type": "array",
                "items": _object(
                    {
                        "name": _string("What to give as `model`."),
                        "version": _string("Changes with the decoder's weights."),
                        "default": {
                            "type": "boolean",
                            "description": "Whether it captions when no model is named.",
                        },
                        "ready": {
                            "type": "boolean",
                            "description": "False if weights have to be downloaded first.",
                        },
                        "encoder": _string("The encoder's name."),
                        "decoder": _string("The decoder's kind."),
                        "words": {"type": "integer", "description": "Size of the vocabulary."},
                        "decoding": {"type": "object", "description": "Its usual settings."},
                    }
                ),
            }
        }
    ),
    "Health": _object(
        {
            "status": {"type": "string", "const": "ok"},
            "version": _string("The program's version."),
            "model": _string("The model that captions when a request names none."),
        }
    ),
}


def _operation(
    name: str, summary: str, answers: Schema, *, form: Schema | None = None
) -> dict[str, Schema]:
    """Return an operation by its method: POST with a form, else GET."""
    about: Schema = {"operationId": name, "summary": summary}
    if form is None:
        return {"get": {**about, "responses": answers}}
    return {"post": {**about, "requestBody": form, "responses": answers}}


def _answers(right: Schema, errors: tuple[int, ...]) -> Schema:
    return {"200": right, **{str(s): _response(ERRORS[s], _ref("Error")) for s in errors}}


_PREDICTIONS = {
    "status": "ok",
    "predictions": [
        {"index": "0", "caption": "a dog runs on the beach", "probability": 0.0021},
    ],
    "confidence": 0.71,
    "doubtful": False,
}

DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {
        "title": "Captioning",
        "version": __version__,
        "description": "Captions for photos by a CNN encoder and an LSTM decoder.",
    },
    "paths": {
        "/model/predict": _operation(
            "predict",
            "Caption a photo, in the form of IBM's Model Asset Exchange",
            _answers(_response("The caption.", _ref("Predictions"), _PREDICTIONS), _OF_A_CAPTION),
            form=_form({"image": _PHOTO}, others=True),
        ),
        "/v1/caption": _operation(
            "caption",
            "Caption a photo and return everything known about the caption",
            _answers(_response("The caption.", _ref("Caption")), _OF_A_CAPTION),
            form=_form({"image": _PHOTO, **_OPTIONS}, others=False),
        ),
        "/v1/models": _operation(
            "models",
            "List the models",
            _answers(_response("The models.", _ref("Models")), _OF_A_PAGE),
        ),
        "/health": _operation(
            "health",
            "Check that the server has a model",
            _answers(_response("It has one.", _ref("Health")), _OF_A_PAGE),
        ),
        "/openapi.json": _operation(
            "openapi",
            "This document",
            _answers(_response("The document.", {"type": "object"}), (400, 403)),
        ),
        "/docs": _operation(
            "docs",
            "This document as a page",
            _answers(
                {
                    "description": "The page.",
                    "content": {"text/html": {"schema": {"type": "string"}}},
                },
                (400, 403),
            ),
        ),
    },
    "components": {"schemas": _SCHEMAS},
}

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


def page_of(document: Schema, *, address: str) -> str:
    """Write an OpenAPI document as HTML, which loads nothing from elsewhere.

    Args:
        document: with its schemas under `components`.
        address: where the API is, without a `/` at the end, for the examples.
    """
    info = document["info"]
    operations = [
        "".join(_described(document, path, method, operation, address))
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


def _described(
    document: Schema, path: str, method: str, operation: Schema, address: str
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


def _fields(schema: Schema, under: str = "") -> list[tuple[str, str]]:
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
