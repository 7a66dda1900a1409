"""Settings as frozen dataclasses that check themselves and convert to and from JSON.

Each field carries its own documentation, range and choices, so the command line, the training form
and the error messages agree.  A value out of range is refused when the object is made.
"""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from captioning.errors import ConfigError, quoted
from captioning.storage import read_json

MAX_SETTINGS_BYTES = 2_000_000
"""The largest size of a file of settings; those of the program have some kilobytes."""

_MOST_VALUES = 100_000  # a list of banned words may be long


def setting(
    default: Any = dataclasses.MISSING,
    about: str = "",
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: Sequence[str] | None = None,
) -> Any:
    """Declare a field of a `Config`: its default, what it does, and which values it takes."""
    metadata = {"about": about, "at_least": at_least, "at_most": at_most, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


class Config:
    """Base of the settings: checks its fields, and converts to and from plain data."""

    def __post_init__(self) -> None:
        """Check every field against its declaration.

        Raises:
            ConfigError: a value has the wrong type, is out of range, or is not among the choices.
        """
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _coerce(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
            _check_range(field, value)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: dictionaries, lists, numbers, strings, booleans and None."""
        values: dict[str, Any] = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {name: _without_tuples(value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the settings back.

        Raises:
            ConfigError: `values` is not a mapping, has an unknown setting, or lacks a required one.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{cls.__name__} expects named settings, got {quoted(values)}.")
        fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ConfigError(
                f"Unknown setting {unknown[0]!r} for {cls.__name__}. Known: {', '.join(fields)}."
            )
        missing = sorted(n for n, f in fields.items() if _required(f) and n not in values)
        if missing:
            raise ConfigError(f"{cls.__name__} needs the setting {missing[0]!r}.")
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with `changes` made, checked like a new one.

        Raises:
            ConfigError: a value is refused.
        """
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return type(self).from_dict({f.name: getattr(self, f.name) for f in fields} | changes)

    def with_settings(self, assignments: Sequence[str]) -> Self:
        """Apply `key=value` texts; a dot reaches into a part (`decoder.units=256`).

        Raises:
            ConfigError: an assignment has no `=`, names no setting, or its value is refused.
        """
        values = self.to_dict()
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"Write a setting as key=value, got {quoted(assignment)}.")
            *path, last = key.strip().split(".")
            place: Any = values
            for part in path:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                near = difflib.get_close_matches(key.strip(), flattened(values), n=1)
                meant = f" Did you mean {near[0]}?" if near else ""
                raise ConfigError(f"There is no setting called {key.strip()!r}.{meant}")
            place[last] = _parse(text.strip(), for_text=isinstance(place[last], str))
        return type(self).from_dict(values)


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a JSON file of named settings.

    A key that starts with `_` is a note for people and is ignored.

    Raises:
        ConfigError: the file cannot be read, is too large, or is not a JSON object.
    """
    values = read_json(Path(path), dict, error=ConfigError, max_bytes=MAX_SETTINGS_BYTES)
    return {key: value for key, value in values.items() if not key.startswith("_")}


def flattened(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names.

    >>> flattened({"seed": 0, "decoder": {"units": 8}})
    {'seed': 0, 'decoder.units': 8}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{before}{key}"
        found |= flattened(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _parse(text: str, *, for_text: bool) -> Any:
    """Read a command line value as JSON where it is JSON, as a string where it is not.

    A setting that takes text gets text, so a model may be named 2024.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if for_text and type(value) in (int, float) else value


def _without_tuples(value: Any) -> Any:
    """Convert tuples to lists, as JSON does."""
    if isinstance(value, dict):
        return {key: _without_tuples(inner) for key, inner in value.items()}
    return [_without_tuples(inner) for inner in value] if isinstance(value, tuple) else value


def _coerce(name: str, value: Any, hint: Any) -> Any:
    """Convert `value` to the declared type, allowing for the types of JSON and forms."""
    if typing.get_origin(hint) is tuple:
        return _coerce_list(name, value, typing.get_args(hint)[0])
    if isinstance(hint, types.UnionType):  # only `T | None` is used
        if value is None:
            return None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if isinstance(hint, type) and issubclass(hint, Config) and isinstance(value, Mapping):
        return hint.from_dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{name} is out of range: the number is too large.") from None
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{name} must be of type {hint.__name__}, got {quoted(value)}.")
    return value


def _coerce_list(name: str, value: Any, hint: Any) -> tuple[Any, ...]:
    """Convert a list of words, or one or more whole numbers."""
    if isinstance(value, (list, tuple)) and len(value) > _MOST_VALUES:
        raise ConfigError(f"{name} takes at most {_MOST_VALUES:,} values, got {len(value):,}.")
    if hint is int:
        numbers = value if isinstance(value, (list, tuple)) and value else [value]
        return tuple(_coerce(name, number, int) for number in numbers)
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise ConfigError(f"{name} must be a list of words, got {quoted(value)}.")
    return tuple(value)


def _check_range(field: dataclasses.Field[Any], value: Any) -> None:
    low, high = field.metadata.get("at_least"), field.metadata.get("at_most")
    choices = field.metadata.get("choices")
    if value is None:
        return
    if isinstance(value, tuple):
        for part in value:
            _check_range(field, part)
        return
    # Every comparison with NaN is false, so these conditions refuse it.
    if low is not None and not value >= low:
        raise ConfigError(f"{field.name} must be at least {low:g}, got {quoted(value)}.")
    if high is not None and not value <= high:
        raise ConfigError(f"{field.name} must be at most {high:g}, got {quoted(value)}.")
    if choices is not None and value not in choices:
        raise ConfigError(f"{field.name} must be one of {', '.join(choices)}, got {quoted(value)}.")
