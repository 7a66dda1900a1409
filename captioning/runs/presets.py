"""The named training configurations that come with the program."""

import json
from dataclasses import dataclass
from pathlib import Path

from captioning.config import TrainingConfig, read_training_config
from captioning.paths import shipped_configs

__all__ = ["Preset", "presets"]


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
