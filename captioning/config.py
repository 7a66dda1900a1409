"""The settings of encoders, decoders, decoding and training.

>>> DecodingConfig(beam_width=3).length_penalty
0.7
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from captioning.errors import ConfigError
from captioning.settings import Config, read_settings, setting

__all__ = [
    "DecoderConfig",
    "DecodingConfig",
    "EncoderConfig",
    "TrainingConfig",
    "read_training_config",
]

DECODER_KINDS = ["merge", "inject", "attention"]
"""`captioning.decoders.register_decoder` adds to them."""

STATES = {"lstm": ("hidden", "cell"), "gru": ("hidden",)}
"""What each recurrent cell carries from word to word."""

MOST_REQUIRED_WORDS = 4
"""The search keeps a beam for each number of required words said so far, so they are few."""


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
    start_share: float = setting(
        0.0,
        "share of the weights of start_from in the finished model; the mean of both models is "
        "often better than either",
        at_least=0.0,
        at_most=0.95,
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
