"""Fitting what a model knows of itself on the photos it learned from and the dev photos."""

from captioning.calibrating.fitting import GOOD, CalibrationReport, calibrate
from captioning.calibrating.oddities import ODDITIES, draw_oddities

__all__ = ["GOOD", "ODDITIES", "CalibrationReport", "calibrate", "draw_oddities"]
