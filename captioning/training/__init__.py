"""Training: fit a decoder, and optionally the compact encoder, to captioned photos.

Importing this package is cheap; Keras is imported when a name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioning.training.batches import teacher_forcing
    from captioning.training.loop import Trainer
    from captioning.training.recipe import train
    from captioning.training.stepwise import Step, StepByStep

_HOMES = {
    "Step": "stepwise",
    "StepByStep": "stepwise",
    "Trainer": "loop",
    "teacher_forcing": "batches",
    "train": "recipe",
}

__all__ = ["Step", "StepByStep", "Trainer", "teacher_forcing", "train"]


def __getattr__(name: str) -> Any:
    """Import a public name on first access (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(f"captioning.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'captioning.training' has no attribute {name!r}")
