"""What a distillation depends on, besides the photos."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from captioning.config import Config, EncoderConfig, read_settings, setting

__all__ = ["DistillationConfig", "read_distillation_config"]


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(Config):
    """Which encoder teaches which, on what, and for how long."""

    data: str = setting("flickr8k", "the data set, whose training photos are used")
    teacher: EncoderConfig = dataclasses.field(
        default_factory=lambda: EncoderConfig(name="efficientnetv2b0")
    )
    teacher_from: str | None = setting(
        None, "a bundle whose own encoder teaches, if the teacher is a compact one too"
    )
    student: EncoderConfig = dataclasses.field(
        default_factory=lambda: EncoderConfig(name="compact", input_size=160)
    )
    views: int = setting(
        48_000, "crops of the training photos shown to the teacher", at_least=1, at_most=10**7
    )
    components: int = setting(
        320, "numbers kept of each region, by principal components", at_least=1, at_most=4096
    )
    smallest_crop: float = setting(
        0.25, "share of a photo's area that a crop keeps at least", at_least=0.01, at_most=1.0
    )
    mixing: float = setting(
        0.5, "share of views in which a block of another view is pasted", at_least=0.0, at_most=1.0
    )
    steps: int = setting(12_000, "steps of the optimiser", at_least=1, at_most=10**7)
    views_per_batch: int = setting(64, "views a step", at_least=1, at_most=4096)
    learning_rate: float = setting(
        2e-3, "step size of AdamW at its highest", at_least=1e-7, at_most=1.0
    )
    warmup_steps: int = setting(
        300, "steps over which the learning rate rises", at_least=0, at_most=100_000
    )
    cooldown: float = setting(
        0.3, "share of the steps over which the rate falls to zero", at_least=0.0, at_most=1.0
    )
    weight_decay: float = setting(0.02, "pull of the weights to zero", at_least=0.0, at_most=1.0)
    clip_norm: float = setting(
        1.0, "a longer gradient is shortened to this length", at_least=0.01, at_most=1000.0
    )
    report_every: int = setting(
        250, "steps between reports and checkpoints", at_least=1, at_most=10**6
    )
    limit_images: int = setting(
        0, "use the first so many photos; 0 takes all", at_least=0, at_most=10**9
    )
    shapes_count: int = setting(
        2000, "photos drawn when the data set is shapes", at_least=20, at_most=100_000
    )
    seed: int = setting(0, "fixes every random choice", at_least=0, at_most=2**31 - 1)


def read_distillation_config(path: str | Path) -> DistillationConfig:
    """Read a named configuration (`configs/distill-*.json`, or your own).

    Raises:
        ConfigError: the file cannot be read, is not JSON, or a setting in it is refused.
    """
    return DistillationConfig.from_dict(read_settings(path))
