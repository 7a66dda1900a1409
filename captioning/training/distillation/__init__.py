"""Teaching a small encoder to see what a large one sees, with no labels at all.

A good teacher is patient and consistent (Beyer et al. 2022, https://arxiv.org/abs/2106.05237):
teacher and student look at the very same crop of a photo, cropped hard and often, and the student
matches what the teacher makes of it.  Here that is a map of region features, so that each view
teaches dozens of places at once.

What the teacher sees is recorded once (`record_views`), since it never changes; the student then
learns from the recording (`distill`) for as long as there is time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioning.training.distillation.learning import Report, distill
    from captioning.training.distillation.recording import Recording, record_views
    from captioning.training.distillation.settings import (
        DistillationConfig,
        read_distillation_config,
    )
    from captioning.training.distillation.views import draw_view

_HOMES = {
    "DistillationConfig": "settings",
    "Recording": "recording",
    "Report": "learning",
    "distill": "learning",
    "draw_view": "views",
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
    """Import a public name when it is first asked for (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(f"captioning.training.distillation.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'captioning.training.distillation' has no attribute {name!r}")
