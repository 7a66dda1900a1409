"""Where the program finds what comes with it, and where it writes."""

import os
from pathlib import Path

__all__ = ["data_folder", "shipped_configs", "shipped_models"]


def data_folder() -> Path:
    """Return the folder under which everything is written: `$CAPTIONING_DATA`, or `data`."""
    return Path(os.environ.get("CAPTIONING_DATA") or _repository() / "data").expanduser()


def shipped_models() -> Path:
    """Return the folder of the bundles that come with the program."""
    return _repository() / "models"


def shipped_configs() -> Path:
    """Return the folder of the training configurations that come with the program."""
    return _repository() / "configs"


def _repository() -> Path:
    return Path(__file__).resolve().parent.parent
