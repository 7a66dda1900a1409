"""The OpenAPI document of the API, written by hand; tests hold it to the routes."""

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


def _errors(*statuses: int) -> Schema:
    return {str(status): _response(ERRORS[status], _ref("Error")) for status in statuses}


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

DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {
        "title": "Captioning",
        "version": __version__,
        "description": "Captions for photos by a CNN encoder and an LSTM decoder.",
    },
    "paths": {
        "/model/predict": {
            "post": {
                "operationId": "predict",
                "summary": "Caption a photo, in the form of IBM's Model Asset Exchange",
                "requestBody": _form({"image": _PHOTO}, others=True),
                "responses": {
                    "200": _response(
                        "The caption.",
                        _ref("Predictions"),
                        {
                            "status": "ok",
                            "predictions": [
                                {
                                    "index": "0",
                                    "caption": "a dog runs on the beach",
                                    "probability": 0.0021,
                                }
                            ],
                            "confidence": 0.71,
                            "doubtful": False,
                        },
                    ),
                    **_errors(*_OF_A_CAPTION),
                },
            }
        },
        "/v1/caption": {
            "post": {
                "operationId": "caption",
                "summary": "Caption a photo and return everything known about the caption",
                "requestBody": _form({"image": _PHOTO, **_OPTIONS}, others=False),
                "responses": {
                    "200": _response("The caption.", _ref("Caption")),
                    **_errors(*_OF_A_CAPTION),
                },
            }
        },
        "/v1/models": {
            "get": {
                "operationId": "models",
                "summary": "List the models",
                "responses": {
                    "200": _response("The models.", _ref("Models")),
                    **_errors(*_OF_A_PAGE),
                },
            }
        },
        "/health": {
            "get": {
                "operationId": "health",
                "summary": "Check that the server has a model",
                "responses": {
                    "200": _response("It has one.", _ref("Health")),
                    **_errors(*_OF_A_PAGE),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document",
                "responses": {
                    "200": _response("The document.", {"type": "object"}),
                    **_errors(400, 403),
                },
            }
        },
        "/docs": {
            "get": {
                "operationId": "docs",
                "summary": "This document as a page",
                "responses": {
                    "200": {
                        "description": "The page.",
                        "content": {"text/html": {"schema": {"type": "string"}}},
                    },
                    **_errors(400, 403),
                },
            }
        },
    },
    "components": {"schemas": _SCHEMAS},
}
