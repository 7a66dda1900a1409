"""Why this sentence: rivals of each word, where the model looked, what it saw and what it guessed.

Everything starts from a photo's features and a sentence, read once (`Captioner.read`); only
occlusion looks at the photo again, block by block.
"""

from captioning.explain.evidence import Evidence, seen_or_guessed
from captioning.explain.maps import attention_maps, on_photo, spotlight
from captioning.explain.occlusion import occlusion_maps
from captioning.explain.rivals import Rival, rivals

__all__ = [
    "Evidence",
    "Rival",
    "attention_maps",
    "occlusion_maps",
    "on_photo",
    "rivals",
    "seen_or_guessed",
    "spotlight",
]
