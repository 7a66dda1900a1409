"""Settings of a distillation."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from captioning.config import EncoderConfig
from captioning.settings import Config, read_settings, setting


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(Config):
    """Settings of a distillation: encoders, data and schedule."""

    data: str = setting("flickr8k", "the data set; only its training photos are used")
    teacher: EncoderConfig = dataclasses.field(
        default_factory=lambda: EncoderConfig(name="efficientnetv2b0")
    )
    teacher_from: str | None = setting(
        None, "a bundle whose encoder is the teacher, if the teacher is compact as well"
    )
    student: EncoderConfig = dataclasses.field(
        default_factory=lambda: EncoderConfig(name="compact", input_size=160)
    )
    views: int = setting(
        48_000, "crops of the training photos shown to the teacher", at_least=1, at_most=10**7
    )
    components: int = setting(320, "principal components kept per region", at_least=1, at_most=4096)
    smallest_crop: float = setting(
        0.25, "minimum share of a photo's area in a crop", at_least=0.01, at_most=1.0
    )
    mixing: float = setting(
        0.5, "share of views in which a block of another view is pasted", at_least=0.0, at_most=1.0
    )
    steps: int = setting(12_000, "optimizer steps", at_least=1, at_most=10**7)
    views_per_batch: int = setting(64, "views per step", at_least=1, at_most=4096)
    learning_rate: float = setting(
        2e-3, "maximum learning rate of AdamW", at_least=1e-7, at_most=1.0
    )
    warmup_steps: int = setting(
        300, "warm-up steps of the learning rate", at_least=0, at_most=100_000
    )
    cooldown: float = setting(
        0.3, "share of the steps in which the rate falls to zero", at_least=0.0, at_most=1.0
    )
    weight_decay: float = setting(0.02, "weight decay of AdamW", at_least=0.0, at_most=1.0)
    clip_norm: float = setting(
        1.0, "gradients are clipped to this norm", at_least=0.01, at_most=1000.0
    )
    report_every: int = setting(
        250, "steps between reports and checkpoints", at_least=1, at_most=10**6
    )
    limit_images: int = setting(
        0, "use only the first photos; 0 uses all", at_least=0, at_most=10**9
    )
    shapes_count: int = setting(
        2000, "photos drawn when the data set is shapes", at_least=20, at_most=100_000
    )
    seed: int = setting(0, "seed of all random choices", at_least=0, at_most=2**31 - 1)


def read_distillation_config(path: str | Path) -> DistillationConfig:
    """Read a named configuration (`configs/distill-*.json`, or your own).

    Raises:
        ConfigError: the file cannot be read, is not JSON, or has an invalid setting.
    """
    return DistillationConfig.from_dict(read_settings(path))
