"""Caption photos with a CNN encoder and an LSTM decoder; train, score and explain such models.

    from captioning import Captioner

    captioner = Captioner.load("everyday")
    print(captioner.caption("photo.jpg").sentence)

Importing this package takes milliseconds: each name is imported when it is first used, and Keras
only by names that need it.
"""

__version__ = "0.2.0"
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioning.bundle import find_bundles, read_bundle, write_bundle
    from captioning.caption import Caption
    from captioning.captioner import Captioner
    from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig, TrainingConfig
    from captioning.datasets import CaptionDataset, generate_shapes, load
    from captioning.decoders import build_decoder
    from captioning.encoders import load_encoder
    from captioning.errors import CaptioningError
    from captioning.evaluation import evaluate
    from captioning.features import FeatureStore, extract_features
    from captioning.images import read_image
    from captioning.metrics import corpus_bleu, score_captions
    from captioning.training import train
    from captioning.vocabulary import Vocabulary

_HOMES = {
    "Caption": "caption",
    "CaptionDataset": "datasets",
    "Captioner": "captioner",
    "CaptioningError": "errors",
    "DecoderConfig": "config",
    "DecodingConfig": "config",
    "EncoderConfig": "config",
    "FeatureStore": "features",
    "TrainingConfig": "config",
    "Vocabulary": "vocabulary",
    "build_decoder": "decoders",
    "corpus_bleu": "metrics",
    "evaluate": "evaluation",
    "extract_features": "features",
    "find_bundles": "bundle",
    "generate_shapes": "datasets",
    "load": "datasets",
    "load_encoder": "encoders",
    "read_bundle": "bundle",
    "read_image": "images",
    "score_captions": "metrics",
    "train": "training",
    "write_bundle": "bundle",
}

__all__ = [
    "Caption",
    "CaptionDataset",
    "Captioner",
    "CaptioningError",
    "DecoderConfig",
    "DecodingConfig",
    "EncoderConfig",
    "FeatureStore",
    "TrainingConfig",
    "Vocabulary",
    "build_decoder",
    "corpus_bleu",
    "evaluate",
    "extract_features",
    "find_bundles",
    "generate_shapes",
    "load",
    "load_encoder",
    "read_bundle",
    "read_image",
    "score_captions",
    "train",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first access (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(f"captioning.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'captioning' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, including those not imported yet."""
    return __all__
