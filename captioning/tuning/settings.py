"""What a study does: which fields it varies, around which settings, and what counts as better."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from captioning.config import Config, TrainingConfig, setting
from captioning.errors import ConfigError
from captioning.metrics import headline_metrics
from captioning.tuning.search_space import SearchField, parse_field, value_of

__all__ = ["SCORES", "StudyConfig"]

SCORES = {metric.name: metric.label for metric in headline_metrics()}
"""What a study can look for more of, on dev, and its name for people."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Config):
    """Everything that a study's proposals depend on."""

    base: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    fields: tuple[str, ...] = setting((), "fields to vary, as name=low:high[:log] or name=a,b")
    trials: int = setting(8, "runs to try", at_least=2, at_most=500)
    score: str = setting("cider", "what to look for more of, on dev", choices=tuple(SCORES))
    epochs: int = setting(2, "passes over the training photos in a trial", at_least=1, at_most=1000)
    limit_images: int = setting(
        0, "a trial trains on the first so many photos; 0 takes all", at_least=0, at_most=10**9
    )
    prune: bool = setting(
        True, "give a trial up after an epoch that is worse than the median of those before"
    )
    seed: int = setting(0, "fixes what is proposed", at_least=0, at_most=2**31 - 1)

    def __post_init__(self) -> None:
        """Check the settings, and that there is something to search.

        Raises:
            ConfigError: a field is refused or named twice, or there are fewer values than trials.
        """
        super().__post_init__()
        names = [field.name for field in self.search_fields]
        if not names:
            raise ConfigError("Name at least one field to search, such as learning_rate.")
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
        """Return the values that `base` itself has; None if one is not among those searched."""
        values = self.base.to_dict()
        own = {field.name: value_of(values, field.name) for field in self.search_fields}
        within = all(field.admits(own[field.name]) for field in self.search_fields)
        return own if within else None

    def varied(self, settings: Mapping[str, Any]) -> TrainingConfig:
        """Return `base` with some values put in, by dotted names.

        Raises:
            ConfigError: they contradict each other.
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
