"""How familiar a photo is to a model, and how confident the model may be.

`captioning.calibration.fitting` fits both; using them needs only NumPy.
"""

from captioning.calibration.confidence import (
    Calibration,
    Confidence,
    Familiarity,
    Judgement,
    Level,
    Observation,
)

__all__ = ["Calibration", "Confidence", "Familiarity", "Judgement", "Level", "Observation"]
