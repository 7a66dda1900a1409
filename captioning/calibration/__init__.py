"""How familiar a photo is to a model, and how sure the model may be.

`captioning.calibration.fitting` fits both; reading them needs NumPy alone.
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
