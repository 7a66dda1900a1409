"""The named training configurations that come with the program."""

import json
from dataclasses import dataclass
from pathlib import Path

from captioning.bundle import Bundle
from captioning.config import TrainingConfig, read_training_config
from captioning.storage import shipped_configs

__all__ = ["Preset", "fine_tuning", "presets"]


@dataclass(frozen=True)
class Preset:
    """A training configuration with a name for people.

    Attributes:
        path: its file.
        title: its name for people, `_title` in the file.
        about: its purpose, `_about` in the file.
        config: the settings.
    """

    path: Path
    title: str
    about: str
    config: TrainingConfig


def presets() -> list[Preset]:
    """Return the configurations in `configs/` that have a `_title`, the quickest first.

    The order is by `_order` in the files.

    Raises:
        ConfigError: one of them is damaged.
    """
    found = []
    for path in sorted(shipped_configs().glob("*.json")):
        config = read_training_config(path)
        notes = json.loads(path.read_text(encoding="utf-8"))
        if "_title" in notes:
            order = notes.get("_order", 100)
            found.append((order, Preset(path, notes["_title"], notes.get("_about", ""), config)))
    return [preset for _, preset in sorted(found, key=lambda pair: (pair[0], pair[1].title))]


def fine_tuning(bundle: Bundle, data: str) -> Preset:
    """Return a preset that trains a model further on a user's data set.

    A fresh decoder learns little from few photos, so the run starts with the vocabulary and weights
    of the model, takes small steps, and does not change the encoder.

    Args:
        bundle: the model to start from.
        data: name of the data set.
    """
    config = TrainingConfig(
        name=f"{data} {bundle.name}",
        data=data,
        encoder=bundle.encoder,
        encoder_from=_lender(bundle),
        decoder=bundle.decoder,
        start_from=bundle.name,
        epochs=5,
        learning_rate=1e-4,
        warmup_steps=20,
        horizontal_flip=True,
    )
    about = (
        f"For your own photos: starts from {bundle.name} and its vocabulary instead of fresh "
        "weights. A few hundred photos are enough."
    )
    return Preset(Path(f"fine-tune-{data}"), f"Your photos: {data}", about, config)


def _lender(bundle: Bundle) -> str | None:
    """Return the model whose trained encoder reads the photos; None for ImageNet's weights."""
    has_own = (bundle.folder / "encoder.safetensors").exists()
    return bundle.encoder_from or (bundle.name if has_own else None)
