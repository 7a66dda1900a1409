"""Settings as frozen dataclasses that read from and write to JSON.

Each field carries its own documentation, range and choices, so the command line, the training form
and the error messages all say the same.  A value out of range is refused when the object is made.

>>> DecodingConfig(beam_width=3).length_penalty
0.7
"""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from captioning.errors import ConfigError
from captioning.storage import read_regular_file

__all__ = [
    "Config",
    "DecoderConfig",
    "DecodingConfig",
    "EncoderConfig",
    "TrainingConfig",
    "flattened",
    "read_settings",
    "read_training_config",
    "setting",
]

MAX_BYTES = 10_000_000
"""Of a file of settings."""

DECODER_KINDS = ["merge", "inject", "attention"]
"""`captioning.decoders.register_decoder` adds to them."""

STATES = {"lstm": ("hidden", "cell"), "gru": ("hidden",)}
"""What each recurrent cell carries from word to word."""

MOST_REQUIRED_WORDS = 4
"""The search keeps a beam for each number of required words said so far, so they are few."""


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
    """What every settings class can do: check itself, become plain data, and come back from it."""

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
        """Plain data: only dictionaries, lists, numbers, strings, booleans and None."""
        values: dict[str, Any] = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {name: _without_tuples(value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the settings back.

        Raises:
            ConfigError: `values` is no mapping, names an unknown setting, or lacks a needed one.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{cls.__name__} expects named settings, got {values!r}.")
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
            ConfigError: as on making one.
        """
        return type(self).from_dict({**_shallow(self), **changes})

    def with_settings(self, assignments: Sequence[str]) -> Self:
        """Apply `key=value` texts; a dot reaches into a part (`decoder.units=256`).

        Raises:
            ConfigError: an assignment has no `=`, names nothing known, or its value is refused.
        """
        values = self.to_dict()
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"Write a setting as key=value, got {assignment!r}.")
            *path, last = key.strip().split(".")
            place: Any = values
            for part in path:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                raise ConfigError(f"There is no setting called {key.strip()!r}.")
            place[last] = _parse(text.strip(), for_text=isinstance(place[last], str))
        return type(self).from_dict(values)


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(Config):
    """Which network reads the photo, and which of its layers is used."""

    name: str = setting("xception", "the network that reads the photo")
    layer: str | None = setting(None, "the layer whose output is used; none takes the usual one")
    input_size: int | None = setting(
        None, "side of the square the photo is resized to, in pixels", at_least=32, at_most=1024
    )
    photo_size: int | None = setting(
        None,
        "a photo is first made a JPEG of this side, as those it learned from were; 0 leaves it "
        "as it is, none asks the data set",
        at_least=0,
        at_most=4096,
    )
    width: int = setting(
        32, "channels of the first stage (compact encoder only)", at_least=4, at_most=256
    )


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(Config):
    """The recurrent network that writes the sentence."""

    kind: str = setting(
        "attention",
        "how the photo reaches the LSTM: merged after it, injected as its first state, "
        "or looked at again for every word",
        choices=DECODER_KINDS,
    )
    cell: str = setting("lstm", "the recurrent cell that reads the words", choices=tuple(STATES))
    embedding_size: int = setting(256, "numbers that stand for a word", at_least=4, at_most=2048)
    units: int = setting(384, "size of the LSTM's memory", at_least=4, at_most=2048)
    heads: int = setting(4, "attention heads (attention only)", at_least=1, at_most=16)
    dropout: float = setting(
        0.5, "share of numbers dropped while training", at_least=0.0, at_most=0.9
    )
    max_length: int = setting(
        22, "longest caption, in words and its end mark", at_least=2, at_most=100
    )

    def __post_init__(self) -> None:
        """Check the fields, and that the heads share the units evenly."""
        super().__post_init__()
        if self.kind == "attention" and self.units % self.heads:
            raise ConfigError(
                f"units must be a multiple of heads, got {self.units} units and {self.heads} heads."
            )

    @property
    def cell_name(self) -> str:
        """The cell with its article, such as "an LSTM"."""
        return f"an {self.cell.upper()}" if self.cell == "lstm" else f"a {self.cell.upper()}"

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the cell carries from word to word: "hidden" and, for an LSTM, "cell"."""
        return STATES[self.cell]


@dataclass(frozen=True, kw_only=True)
class DecodingConfig(Config):
    """How a sentence is chosen from the decoder's probabilities."""

    strategy: str = setting(
        "beam", "keep the best few beginnings, or draw words at random", choices=("beam", "sample")
    )
    beam_width: int = setting(
        3, "beginnings kept at each step; 1 is greedy search", at_least=1, at_most=20
    )
    length_penalty: float = setting(
        0.7, "0 ranks by the total log-probability, 1 by its mean per word", at_least=0, at_most=2
    )
    temperature: float = setting(
        1.0, "below 1 sharpens the draw, above 1 flattens it", at_least=0.01, at_most=10
    )
    top_k: int = setting(
        0, "draw among the k likeliest words alone; 0 admits all", at_least=0, at_most=100_000
    )
    top_p: float = setting(
        1.0, "draw among the likeliest words that make up this share", at_least=0.01, at_most=1
    )
    samples: int = setting(1, "sentences drawn for a photo", at_least=1, at_most=20)
    seed: int = setting(0, "the same seed draws the same sentence", at_least=0, at_most=2**31 - 1)
    prefix: tuple[str, ...] = setting((), "words the sentence begins with")
    required_words: tuple[str, ...] = setting((), "words that must occur (beam search only)")
    banned_words: tuple[str, ...] = setting((), "words that must not occur")
    no_repeat: int = setting(
        0, "no row of so many words occurs twice; 0 lets any", at_least=0, at_most=10
    )
    gender_certainty: float = setting(
        0.9,
        "write person, people or child where the model is less certain than this of man, woman, "
        "boy or girl; 0 keeps its words",
        at_least=0,
        at_most=1,
    )

    def __post_init__(self) -> None:
        """Check the fields, and that the words that must occur can be searched for."""
        super().__post_init__()
        if self.required_words and self.strategy == "sample":
            raise ConfigError(
                "Words that must occur are found by beam search, not by drawing words at random; "
                "choose the strategy beam, or require no words."
            )
        if len(self.required_words) > MOST_REQUIRED_WORDS:
            raise ConfigError(
                f"required_words takes at most {MOST_REQUIRED_WORDS} words, "
                f"got {len(self.required_words)}."
            )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """Everything a training run depends on, besides the data itself."""

    name: str = setting("captioner", "name of the bundle the run leaves")
    data: str = setting("flickr8k", "the data set: flickr8k, shapes, or a folder", choices=None)
    extra_data: tuple[str, ...] = setting((), "further data sets to train on: names or folders")
    extra_repeats: int = setting(
        1, "how often an epoch shows each photo of the further data sets", at_least=1, at_most=100
    )
    sentences: str | None = setting(
        None, "a text file of sentences without photos to learn from (cross_entropy only)"
    )
    sentences_per_step: int = setting(
        96, "sentences without photos in a step", at_least=1, at_most=4096
    )
    sentence_weight: float = setting(
        0.3, "weight of a step's sentences against its captions", at_least=0.0, at_most=10.0
    )
    sentence_min_count: int = setting(
        20,
        "a word seen this often in the sentences is known, however rare it is in captions",
        at_least=1,
        at_most=100_000,
    )
    encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
    decoder: DecoderConfig = dataclasses.field(default_factory=DecoderConfig)
    decoding: DecodingConfig = dataclasses.field(default_factory=DecodingConfig)
    train_encoder: bool = setting(
        False, "train the encoder too (compact only), instead of reading stored features"
    )
    objective: str = setting(
        "cross_entropy",
        "learn the true captions, or make the model's own drawn captions score better",
        choices=("cross_entropy", "self_critical"),
    )
    start_from: str | None = setting(
        None, "a bundle whose decoder and words the run begins with, instead of fresh weights"
    )
    start_temperature: float = setting(
        1.0,
        "the logits of start_from are divided by this; below 1 it is surer of its words",
        at_least=0.1,
        at_most=10.0,
    )
    encoder_from: str | None = setting(
        None, "a bundle whose own trained encoder reads the photos (compact only)"
    )
    samples: int = setting(
        5, "captions drawn for each photo (self_critical only)", at_least=2, at_most=20
    )
    critical_dropout: bool = setting(
        False,
        "drop numbers in the step though none were while drawing (self_critical only)",
    )
    min_count: int = setting(
        3, "a word seen less often in training captions is unknown", at_least=1, at_most=100
    )
    epochs: int = setting(10, "passes over the training photos", at_least=1, at_most=1000)
    images_per_batch: int = setting(
        24, "photos a step, each with its captions", at_least=1, at_most=1024
    )
    learning_rate: float = setting(
        1e-3, "step size of AdamW at its highest", at_least=1e-7, at_most=1.0
    )
    schedule: str = setting(
        "cosine", "how the learning rate goes on after the warm-up", choices=("cosine", "constant")
    )
    warmup_steps: int = setting(
        100, "steps over which the learning rate rises", at_least=0, at_most=100_000
    )
    weight_decay: float = setting(1e-4, "pull of the weights to zero", at_least=0.0, at_most=1.0)
    clip_norm: float = setting(
        5.0, "a longer gradient is shortened to this length", at_least=0.01, at_most=1000.0
    )
    label_smoothing: float = setting(
        0.1,
        "probability taken from the true word and spread over all (cross_entropy only)",
        at_least=0.0,
        at_most=0.9,
    )
    teachers: tuple[str, ...] = setting(
        (), "bundles whose averaged answers are learned beside the true words (cross_entropy only)"
    )
    teacher_share: float = setting(
        0.5, "weight of the teachers' answers against the true words", at_least=0.0, at_most=1.0
    )
    horizontal_flip: bool = setting(
        False,
        "show half of the photos mirrored, but none whose captions say left or right",
    )
    crops: int = setting(
        0,
        "random crops made of each training photo; half of the photos are shown as one of them",
        at_least=0,
        at_most=100,
    )
    ema_momentum: float = setting(
        0.0,
        "share of the past in the running mean of the weights; 0 keeps none",
        at_least=0.0,
        at_most=0.99999,
    )
    limit_images: int = setting(
        0, "train on the first so many photos; 0 takes all", at_least=0, at_most=10**9
    )
    allow_missing: bool = setting(
        False, "train although the data set lacks many photos that its caption file names"
    )
    score_images: int = setting(
        0,
        "dev photos captioned and scored after each epoch; 0 takes all",
        at_least=0,
        at_most=10**9,
    )
    shapes_count: int = setting(
        2000, "photos drawn when the data set is shapes", at_least=20, at_most=100_000
    )
    seed: int = setting(0, "fixes every random choice", at_least=0, at_most=2**31 - 1)

    def __post_init__(self) -> None:
        """Check the fields, and that the name can be a folder's among the models."""
        super().__post_init__()
        if not re.fullmatch(r"\w(?:[\w .-]*\w)?", self.name):
            raise ConfigError(
                "name must consist of letters, digits, spaces, '_', '-' and '.', and begin and end "
                f"with a letter or digit, got {self.name!r}."
            )


def read_training_config(path: str | Path) -> TrainingConfig:
    """Read a named training configuration (one of `configs/*.json`, or your own).

    Raises:
        ConfigError: the file cannot be read, is not JSON, or a setting in it is refused.
    """
    return TrainingConfig.from_dict(read_settings(path))


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a JSON file of named settings.

    A key that starts with `_` is a note for people and is not read.

    Raises:
        ConfigError: the file cannot be read, or is no JSON object.
    """
    path = Path(path)
    try:
        values = json.loads(read_regular_file(path, MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The configuration {path} is not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"The configuration {path} must be a JSON object.")
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


def _shallow(config: Config) -> dict[str, Any]:
    return {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}  # type: ignore[arg-type]


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
    """Write tuples as the lists that JSON would make of them."""
    if isinstance(value, dict):
        return {key: _without_tuples(inner) for key, inner in value.items()}
    return [_without_tuples(inner) for inner in value] if isinstance(value, tuple) else value


def _coerce(name: str, value: Any, hint: Any) -> Any:
    """Bring `value` to the declared type, admitting what JSON and forms make of it."""
    if typing.get_origin(hint) is tuple:  # only `tuple[str, ...]` is used
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{name} must be a list of words, got {value!r}.")
        return tuple(value)
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
        raise ConfigError(f"{name} must be of type {hint.__name__}, got {value!r}.")
    return value


def _check_range(field: dataclasses.Field[Any], value: Any) -> None:
    low, high = field.metadata.get("at_least"), field.metadata.get("at_most")
    choices = field.metadata.get("choices")
    if value is None:
        return
    # A NaN fails every comparison, so the test is for being inside and not for being outside.
    if low is not None and not value >= low:
        raise ConfigError(f"{field.name} must be at least {low:g}, got {value!r}.")
    if high is not None and not value <= high:
        raise ConfigError(f"{field.name} must be at most {high:g}, got {value!r}.")
    if choices is not None and value not in choices:
        raise ConfigError(f"{field.name} must be one of {', '.join(choices)}, got {value!r}.")
