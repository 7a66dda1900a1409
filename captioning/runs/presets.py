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
        title: what to call it, `_title` in the file.
        about: what it is for, `_about` in the file.
        config: the settings.
    """

    path: Path
    title: str
    about: str
    config: TrainingConfig


def presets() -> list[Preset]:
    """Return the configurations in `configs/` that have a `_title`, the quickest first.

    `_order` in the file says which comes first.

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
    """Return a preset that goes on training a model on a data set of one's own.

    Few photos teach a fresh decoder little: it begins with the model's words and weights, takes
    small steps, and its encoder stays as it is.

    Args:
        bundle: the model to begin with.
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
        f"For photos of your own: goes on from {bundle.name} with its words, instead of beginning "
        "with fresh weights. A few hundred photos are enough."
    )
    return Preset(Path(f"fine-tune-{data}"), f"Your photos: {data}", about, config)


def _lender(bundle: Bundle) -> str | None:
    """Return the model whose trained encoder reads the photos; None for ImageNet's weights."""
    has_own = (bundle.folder / "encoder.safetensors").exists()
    return bundle.encoder_from or (bundle.name if has_own else None)
