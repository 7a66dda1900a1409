"""Distillation: train a small encoder to match the features of a large one, without labels.

A good teacher is patient and consistent (Beyer et al. 2022, https://arxiv.org/abs/2106.05237):
teacher and student see the same aggressive crops of each photo, for many epochs, and the student
matches the teacher's output.  Here the output is a feature map, so each view gives dozens of
targets.

The teacher's features are recorded once (`record_views`), because they never change; the student
then learns from the recording (`distill`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioning.training.distillation.learning import Report, distill
    from captioning.training.distillation.recording import Recording, draw_view, record_views
    from captioning.training.distillation.settings import (
        DistillationConfig,
        read_distillation_config,
    )

_HOMES = {
    "DistillationConfig": "settings",
    "Recording": "recording",
    "Report": "learning",
    "distill": "learning",
    "draw_view": "recording",
    "read_distillation_config": "settings",
    "record_views": "recording",
}

__all__ = [
    "DistillationConfig",
    "Recording",
    "Report",
    "distill",
    "draw_view",
    "read_distillation_config",
    "record_views",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first access (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(f"captioning.training.distillation.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'captioning.training.distillation' has no attribute {name!r}")
