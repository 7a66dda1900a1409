"""Teaching a decoder, and its encoder if it is the project's own, to write captions."""

from captioning.training.batches import teacher_forcing
from captioning.training.loop import Trainer, TrainingEvent
from captioning.training.recipe import train

__all__ = ["Trainer", "TrainingEvent", "teacher_forcing", "train"]
