"""The settings of a hyperparameter search: which fields of a configuration vary, and how far.

A field is written and stored as on the command line: `learning_rate=0.0001:0.01:log`,
`decoder.dropout=0.1:0.6`, `decoder.kind=merge,inject`.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from captioning.config import TrainingConfig
from captioning.errors import ConfigError, quoted
from captioning.metrics import headline_metrics
from captioning.settings import Config, setting

MOST_TRIALS = 500
"""The largest number of trials of a study."""

_FIXED = frozenset(
    "name data seed epochs limit_images score_images shapes_count encoder_from start_from".split()
)
"""Fields that have to be equal for trials to be comparable, such as data and length."""

_FIXED_PARTS = frozenset({"decoding"})
"""Settings of decoding, which can be compared without training."""


@dataclass(frozen=True)
class Declared:
    """The declaration of a field that can be searched.

    Attributes:
        kind: float, int, bool, or str for one with choices.
        about: what it does.
        at_least: the smallest accepted value; None without a limit.
        at_most: the largest.
        choices: the values of a str field.
    """

    kind: type
    about: str
    at_least: float | None
    at_most: float | None
    choices: tuple[str, ...]


@dataclass(frozen=True)
class SearchField:
    """A field that is varied: over a range of numbers, or some values.

    Attributes:
        name: dotted, such as `decoder.dropout`.
        low: the smallest number of the range; None if it has `choices`.
        high: the largest.
        log: whether the range is searched on a logarithmic scale.
        choices: the values, if it is not a range.
    """

    name: str
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    def __str__(self) -> str:
        """Write the field as `parse_field` reads it."""
        if self.choices:
            return f"{self.name}={','.join(map(_text, self.choices))}"
        return f"{self.name}={_text(self.low)}:{_text(self.high)}{':log' * self.log}"

    @property
    def whole(self) -> bool:
        """Whether the range has whole numbers only."""
        return isinstance(self.low, int)

    @property
    def size(self) -> float:
        """Count the values; infinity for a range of fractions."""
        if self.choices:
            return len(self.choices)
        return int(self.high or 0) - int(self.low or 0) + 1 if self.whole else math.inf

    def admits(self, value: Any) -> bool:
        """Return whether `value` is in the range or among the choices."""
        if self.choices:
            return value in self.choices
        return bool(self.low <= value <= self.high)  # type: ignore[operator]


@cache
def searchable() -> Mapping[str, Declared]:
    """Return the fields that can be searched, by dotted name, in the order of the configuration."""
    return dict(_declared(TrainingConfig, ""))


def parse_field(text: str) -> SearchField:
    """Read a field from `name=low:high`, `name=low:high:log` or `name=value,value`.

    The last part of a dotted name is enough if it is unique.

    >>> parse_field("dropout=0.1:0.6")
    SearchField(name='decoder.dropout', low=0.1, high=0.6, log=False, choices=())
    >>> str(parse_field("learning_rate=1e-4:1e-2:log"))
    'learning_rate=0.0001:0.01:log'

    Raises:
        ConfigError: the form is wrong, there is no such field, or a value is refused.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not values:
        raise ConfigError(
            f"Write a field to search as name=low:high, name=low:high:log or name=value,value; "
            f"got {quoted(text)}."
        )
    name = _full_name(name)
    declared = searchable()[name]
    if ":" in values:
        return _range(name, declared, values)
    choices = tuple(_value(name, declared, part) for part in values.split(","))
    if len(set(choices)) < 2:
        raise ConfigError(f"{name} needs at least two values, got {quoted(values)}.")
    return SearchField(name, choices=tuple(dict.fromkeys(choices)))


def suggested(name: str, base: TrainingConfig) -> SearchField:
    """Return a field with its default range, around its value in `base`.

    Raises:
        ConfigError: there is no such field.
    """
    name = _full_name(name)
    declared, value = searchable()[name], value_of(base.to_dict(), name)
    if declared.kind is bool:
        return SearchField(name, choices=(False, True))
    if declared.choices:
        return SearchField(name, choices=declared.choices)
    low, high = declared.at_least or 0, declared.at_most or 1
    if declared.kind is float and high <= 1 and low == 0 and name != "weight_decay":
        return SearchField(name, 0.0, min(float(high), 0.6))
    factor = 10 if declared.kind is float else 2
    near = declared.kind(value) or declared.kind(max(low, 1e-4 if declared.kind is float else 1))
    rounded = (lambda x: float(f"{x:.3g}")) if declared.kind is float else round
    lowest = rounded(max(near / factor, low))
    return SearchField(name, lowest, rounded(min(near * factor, high)), log=lowest > 0)


def value_of(settings: Mapping[str, Any], name: str) -> Any:
    """Return the value of a dotted name in nested settings."""
    for part in name.split("."):
        settings = settings[part]
    return settings


def _declared(owner: type[Config], before: str) -> list[tuple[str, Declared]]:
    hints = typing.get_type_hints(owner)
    found: list[tuple[str, Declared]] = []
    for field in dataclasses.fields(owner):  # type: ignore[arg-type]
        hint, name = hints[field.name], f"{before}{field.name}"
        if isinstance(hint, type) and issubclass(hint, Config):
            found += _declared(hint, f"{name}.") if field.name not in _FIXED_PARTS else []
        elif field.name not in _FIXED and not isinstance(hint, types.UnionType):
            facts = field.metadata
            choices = tuple(facts.get("choices") or ())
            if hint in (float, int, bool) or choices:
                limits = facts.get("at_least"), facts.get("at_most")
                found.append((name, Declared(hint, str(facts["about"]), *limits, choices)))
    return found


def _full_name(name: str) -> str:
    known = searchable()
    found = [name] if name in known else [n for n in known if n.rsplit(".", 1)[-1] == name]
    if len(found) != 1:
        raise ConfigError(
            f"{quoted(name)} is not a field to search. There are: {', '.join(known)}."
        )
    return found[0]


def _range(name: str, declared: Declared, values: str) -> SearchField:
    low_text, high_text, *rest = values.split(":")
    if declared.kind not in (float, int) or rest not in ([], ["log"]):
        raise ConfigError(
            f"{name} is searched between numbers as low:high or low:high:log, or among values as "
            f"value,value; got {quoted(values)}."
        )
    low, high = _value(name, declared, low_text), _value(name, declared, high_text)
    if not low < high:
        raise ConfigError(f"{name}: {low:g} is not below {high:g}.")
    if rest and low <= 0:
        raise ConfigError(f"{name} needs a lower end above 0 for a logarithmic range, got {low:g}.")
    return SearchField(name, low, high, log=bool(rest))


def _value(name: str, declared: Declared, text: str) -> Any:
    """Read one value and check it against what the configuration declares."""
    text = text.strip()
    if declared.choices or declared.kind is bool:
        known = {str(v).lower(): v for v in (declared.choices or (False, True))}
        if text.lower() not in known:
            raise ConfigError(f"{name} must be one of {', '.join(known)}, got {quoted(text)}.")
        return known[text.lower()]
    try:
        value = declared.kind(text) if declared.kind is float else int(text)
    except ValueError:
        kind = "a whole number" if declared.kind is int else "a number"
        raise ConfigError(f"{name} takes {kind}, got {quoted(text)}.") from None
    low, high = declared.at_least, declared.at_most
    if not (low if low is not None else -math.inf) <= value <= (high or math.inf):
        raise ConfigError(f"{name} must be from {low:g} to {high:g}, got {quoted(value)}.")
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


SCORES = {metric.name: metric.label for metric in headline_metrics()}
"""The scores on dev that a study can maximize, and their names for people."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Config):
    """The settings of a study."""

    base: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    fields: tuple[str, ...] = setting((), "fields to vary, as name=low:high[:log] or name=a,b")
    trials: int = setting(8, "number of trials", at_least=2, at_most=MOST_TRIALS)
    score: str = setting("cider", "the score on dev to maximize", choices=tuple(SCORES))
    epochs: int = setting(2, "passes over the training photos in a trial", at_least=1, at_most=1000)
    limit_images: int = setting(
        0,
        "train each trial on this many photos, the first ones; 0 takes all",
        at_least=0,
        at_most=10**9,
    )
    prune: bool = setting(
        True, "end a trial after an epoch that is worse than the median of the earlier trials"
    )
    seed: int = setting(0, "random seed of the proposals", at_least=0, at_most=2**31 - 1)

    def __post_init__(self) -> None:
        """Check the settings and the fields.

        Raises:
            ConfigError: a field is refused or named twice, or there are fewer values than trials.
        """
        super().__post_init__()
        if not self.fields:
            raise ConfigError("Name at least one field to search, such as learning_rate.")
        most = len(searchable())
        if len(self.fields) > most:
            raise ConfigError(
                f"A search varies at most {most} fields, got {len(self.fields):,}. Name each field "
                "once."
            )
        names = [field.name for field in self.search_fields]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ConfigError(f"{twice[0]} is named twice among the fields to search.")
        there_are = math.prod(field.size for field in self.search_fields)
        if there_are < self.trials:
            raise ConfigError(
                f"The fields have {there_are:g} combinations of values in all, so there can be "
                f"{there_are:g} trials at most, not {self.trials}."
            )

    @cached_property
    def search_fields(self) -> tuple[SearchField, ...]:
        """The fields, read.

        Raises:
            ConfigError: one is not written as it should be.
        """
        return tuple(parse_field(text) for text in self.fields)

    def own_settings(self) -> dict[str, Any] | None:
        """Return the values of `base`; None if one is outside the searched range."""
        values = self.base.to_dict()
        own = {field.name: value_of(values, field.name) for field in self.search_fields}
        within = all(field.admits(own[field.name]) for field in self.search_fields)
        return own if within else None

    def varied(self, settings: Mapping[str, Any]) -> TrainingConfig:
        """Return `base` with some values replaced, by dotted names.

        Raises:
            ConfigError: the values contradict each other.
        """
        values = self.base.to_dict()
        for name, value in settings.items():
            path, _, last = name.rpartition(".")
            place = value_of(values, path) if path else values
            place[last] = value
        return TrainingConfig.from_dict(values)

    def trial_config(self, number: int, settings: Mapping[str, Any]) -> TrainingConfig:
        """Return the configuration of a trial.

        Raises:
            ConfigError: the settings contradict each other.
        """
        name = f"{self.base.name[:60].rstrip(' .-')} trial {number}"
        short = {"epochs": self.epochs, "limit_images": self.limit_images, "name": name}
        return self.varied(settings).replace(**short)
