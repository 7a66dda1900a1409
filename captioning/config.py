"""The settings of encoders, decoders, decoding and training.

>>> DecodingConfig(beam_width=3).length_penalty
0.7
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from captioning.cells import CELLS
from captioning.errors import ConfigError
from captioning.settings import Config, read_settings, setting

DECODER_KINDS = ["merge", "inject", "attention"]
"""`captioning.decoders.register_decoder` adds to them."""

MOST_REQUIRED_WORDS = 4
"""The search keeps a beam for each number of required words already used."""


_LONGEST_NAME = 60


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
        "resize to this size and compress as JPEG first, to match the training photos; 0 "
        "disables it, none takes the size of the data set",
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
        "how the photo enters the decoder: merged after the LSTM, injected as its first state, "
        "or by attention for every word",
        choices=DECODER_KINDS,
    )
    cell: str = setting("lstm", "the recurrent cell that reads the words", choices=tuple(CELLS))
    embedding_size: int = setting(256, "size of a word embedding", at_least=4, at_most=2048)
    units: int = setting(384, "size of the recurrent state", at_least=4, at_most=2048)
    heads: int = setting(4, "attention heads (attention only)", at_least=1, at_most=16)
    dropout: float = setting(
        0.5, "share of values set to 0 during training", at_least=0.0, at_most=0.9
    )
    max_length: int = setting(
        22, "longest caption in words, the end mark included", at_least=2, at_most=100
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
        return CELLS[self.cell].with_article

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the cell carries from word to word: "hidden" and, for an LSTM, "cell"."""
        return CELLS[self.cell].state


@dataclass(frozen=True, kw_only=True)
class DecodingConfig(Config):
    """The search for a sentence."""

    strategy: str = setting(
        "beam", "beam search, or random sampling of words", choices=("beam", "sample")
    )
    beam_width: int = setting(
        3, "partial sentences kept at each step; 1 is greedy search", at_least=1, at_most=20
    )
    length_penalty: float = setting(
        0.7, "0 ranks by the sum of the log-probabilities, 1 by their mean", at_least=0, at_most=2
    )
    temperature: float = setting(
        1.0,
        "below 1 prefers likely words more, above 1 less",
        at_least=0.01,
        at_most=10,
    )
    top_k: int = setting(
        0, "sample from the k most likely words; 0 takes all", at_least=0, at_most=100_000
    )
    top_p: float = setting(
        1.0,
        "sample from the most likely words with this total probability",
        at_least=0.01,
        at_most=1,
    )
    samples: int = setting(1, "sentences sampled per photo", at_least=1, at_most=20)
    seed: int = setting(
        0, "random seed; the same seed samples the same sentence", at_least=0, at_most=2**31 - 1
    )
    prefix: tuple[str, ...] = setting((), "words that the sentence begins with")
    required_words: tuple[str, ...] = setting((), "words that must occur (beam search only)")
    banned_words: tuple[str, ...] = setting((), "words that must not occur")
    no_repeat: int = setting(
        0, "no sequence of this many words occurs twice; 0 disables it", at_least=0, at_most=10
    )
    gender_certainty: float = setting(
        0.9,
        "write person, people or child where the model is less certain than this of man, woman, "
        "boy or girl; 0 keeps its words",
        at_least=0,
        at_most=1,
    )
    detail_certainty: float = setting(
        0.0,
        "leave out details whose words have a smaller probability than this; 0 keeps all details",
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
    """All settings of a training run."""

    name: str = setting("captioner", "name of the model")
    data: str = setting("flickr8k", "the data set: flickr8k, shapes, or a folder", choices=None)
    extra_data: tuple[str, ...] = setting((), "further data sets to train on: names or folders")
    extra_repeats: tuple[int, ...] = setting(
        (1,),
        "how often each photo of the further data sets is used per epoch: one number, or one for "
        "each of them",
        at_least=1,
        at_most=100,
    )
    sentences: str | None = setting(
        None, "a text file of sentences without photos to train on (cross_entropy only)"
    )
    sentences_per_step: int = setting(
        96, "sentences without photos per step", at_least=1, at_most=4096
    )
    sentence_weight: float = setting(
        0.3, "weight of the sentences relative to the captions", at_least=0.0, at_most=10.0
    )
    sentence_min_count: int = setting(
        20,
        "a word that occurs this often in the sentences is known, even if it is rare in captions",
        at_least=1,
        at_most=100_000,
    )
    encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
    decoder: DecoderConfig = dataclasses.field(default_factory=DecoderConfig)
    decoding: DecodingConfig = dataclasses.field(default_factory=DecodingConfig)
    train_encoder: bool = setting(
        False, "train the encoder too (compact only) instead of using stored features"
    )
    objective: str = setting(
        "cross_entropy",
        "learn the reference captions, or raise the scores of captions that the model samples",
        choices=("cross_entropy", "self_critical"),
    )
    start_from: str | None = setting(
        None, "a model whose decoder and vocabulary the run starts from"
    )
    grow_vocabulary: bool = setting(
        False, "add the words of the training captions that start_from does not know"
    )
    start_temperature: float = setting(
        1.0,
        "divide the logits of start_from by this; below 1 makes it more confident",
        at_least=0.1,
        at_most=10.0,
    )
    start_share: float | None = setting(
        None,
        "share of the weights of start_from in the finished model, whose average with the trained "
        "weights is often better than either; without a number, dev chooses among 0, 0.25, 0.5, "
        "0.75 and 1",
        at_least=0.0,
        at_most=0.95,
    )
    encoder_from: str | None = setting(
        None, "a model whose trained encoder reads the photos (compact only)"
    )
    samples: int = setting(
        5, "captions sampled per photo (self_critical only)", at_least=2, at_most=20
    )
    critical_dropout: bool = setting(
        False,
        "use dropout in the training step, but not while sampling (self_critical only)",
    )
    min_count: int = setting(
        3,
        "a word that occurs less often in the training captions is unknown",
        at_least=1,
        at_most=100,
    )
    epochs: int = setting(10, "passes over the training photos", at_least=1, at_most=1000)
    images_per_batch: int = setting(
        24, "photos per step, each with its captions", at_least=1, at_most=1024
    )
    learning_rate: float = setting(
        1e-3, "highest learning rate of AdamW", at_least=1e-7, at_most=1.0
    )
    schedule: str = setting(
        "cosine", "the learning rate after the warm-up", choices=("cosine", "constant")
    )
    warmup_steps: int = setting(
        100, "steps during which the learning rate rises", at_least=0, at_most=100_000
    )
    weight_decay: float = setting(
        1e-4, "how strongly AdamW pulls the weights towards 0", at_least=0.0, at_most=1.0
    )
    clip_norm: float = setting(
        5.0,
        "largest norm of the gradient; a larger one is scaled down",
        at_least=0.01,
        at_most=1000.0,
    )
    label_smoothing: float = setting(
        0.1,
        "probability moved from the correct word to all words (cross_entropy only)",
        at_least=0.0,
        at_most=0.9,
    )
    teachers: tuple[str, ...] = setting(
        (), "models whose mean predictions are learned too (cross_entropy only)"
    )
    teacher_share: float = setting(
        0.5,
        "weight of the teachers' predictions relative to the correct words",
        at_least=0.0,
        at_most=1.0,
    )
    horizontal_flip: bool = setting(
        False,
        "mirror half of the photos, except those whose captions contain left or right",
    )
    crops: int = setting(
        0,
        "random crops per training photo; half of the photos are replaced by one of them",
        at_least=0,
        at_most=100,
    )
    ema_momentum: float = setting(
        0.0,
        "momentum of the moving average of the weights; 0 disables it",
        at_least=0.0,
        at_most=0.99999,
    )
    limit_images: int = setting(
        0, "train on this many photos, the first ones; 0 takes all", at_least=0, at_most=10**9
    )
    allow_missing: bool = setting(
        False, "train even if many photos of the caption file are missing"
    )
    score_images: int = setting(
        0,
        "dev photos captioned and scored after each epoch; 0 takes all",
        at_least=0,
        at_most=10**9,
    )
    shapes_count: int = setting(
        2000, "number of photos if the data set is shapes", at_least=20, at_most=100_000
    )
    seed: int = setting(0, "random seed", at_least=0, at_most=2**31 - 1)

    def __post_init__(self) -> None:
        """Check the fields, and that the name can be a folder's among the models."""
        super().__post_init__()
        if len(self.name) > _LONGEST_NAME:  # a folder's name may have 255 bytes
            raise ConfigError(f"name must have at most {_LONGEST_NAME} characters.")
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
