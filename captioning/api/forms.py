"""The multipart form of a request: one photo, and how its sentence is chosen."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from captioning.errors import ConfigError, ImageError
from captioning.images import MAX_BYTES
from captioning.text import tokenize

MAX_BODY_BYTES = MAX_BYTES + 100_000
"""A photo of the largest size, and the form around it."""

MOST_ALTERNATIVES = 20
MOST_CHARACTERS = 1000
"""Of a field next to the photo."""

_MAX_FIELDS = 100
_MAX_FIELD_BYTES = 4 * MOST_CHARACTERS
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,30})?(e-?\d{1,3})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Options:
    """The fields of a form next to the photo.

    Attributes:
        model: a bundle's name; None for the server's own choice.
        alternatives: how many other sentences to list; None lists all.
        changes: settings of `DecodingConfig`.
    """

    model: str | None
    alternatives: int | None
    changes: dict[str, Any]


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ConfigError(f"{name} must be a whole number, got {text[:80]!r}.")
    return int(text)


def _number(name: str, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ConfigError(f"{name} must be a number, got {text[:80]!r}.")
    return float(text)


def _text(name: str, text: str) -> str:
    return text


def _words(name: str, text: str) -> tuple[str, ...]:
    words = tuple(tokenize(text.replace(",", " ")))
    if not words:
        raise ConfigError(f"{name} takes words, got {text[:80]!r}.")
    return words


OPTIONS: dict[str, Callable[[str, str], Any]] = {
    "model": _text,
    "alternatives": _whole,
    "beam_width": _whole,
    "length_penalty": _number,
    "no_repeat": _whole,
    "gender_certainty": _number,
    "detail_certainty": _number,
    "required_words": _words,
    "banned_words": _words,
}
"""The fields next to the photo, each with what reads it."""


async def open_form(request: Request) -> FormData:
    """Read a request's form; its files are on disk if they are large.

    Raises:
        HTTPException: 415 if it is no multipart form, 400 if it is damaged.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise HTTPException(
            415, "Send the photo as multipart/form-data: curl -F image=@photo.jpg ADDRESS"
        )
    return await request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)


def photo_of(form: FormData) -> UploadFile:
    """Return the uploaded photo.

    Raises:
        ImageError: the field `image` is missing or is no file.
    """
    photo = form.get("image")
    if not isinstance(photo, UploadFile):
        raise ImageError("Send the photo as a file in the field 'image'.")
    return photo


def options_of(form: FormData) -> Options:
    """Read the fields next to the photo.

    Raises:
        ConfigError: a field is unknown, comes twice, is too long, or cannot be read.
    """
    values: dict[str, Any] = {}
    for name, text in form.multi_items():
        if name == "image":
            continue
        if name not in OPTIONS or not isinstance(text, str):
            raise ConfigError(
                f"There is no option {name[:80]!r}. Known: {', '.join(sorted(OPTIONS))}."
            )
        if name in values:
            raise ConfigError(f"{name} may be given once.")
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(f"{name} takes at most {MOST_CHARACTERS} characters.")
        values[name] = OPTIONS[name](name, text)
    model, alternatives = values.pop("model", None), values.pop("alternatives", None)
    if alternatives is not None and not 0 <= alternatives <= MOST_ALTERNATIVES:
        raise ConfigError(f"alternatives must be 0 to {MOST_ALTERNATIVES}, got {alternatives}.")
    if {"beam_width", "required_words"} & set(values):
        values["strategy"] = "beam"
    return Options(model, alternatives, values)
