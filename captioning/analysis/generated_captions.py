"""What a model wrote about a split, kept so that pages can show it without loading the model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioning.analysis.disk_cache import put, shelf
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset
from captioning.errors import StorageError
from captioning.storage import MAX_INDEX_BYTES, read_json

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Written:
    """A model's captions of a split.

    Attributes:
        captions: by photo name.
        scores: as `captioning.evaluation.Evaluation.to_dict` gives them.
    """

    captions: Mapping[str, str]
    scores: Mapping[str, Any]


def kept_written(
    dataset: CaptionDataset, bundle: Bundle, split: str, decoding: DecodingConfig
) -> Written | None:
    """Return what the model wrote, if it was kept; None for a changed model or data set."""
    try:
        path = _path(dataset, bundle, split, decoding)
        content = read_json(path, dict, max_bytes=MAX_INDEX_BYTES)
        captions, scores = content["captions"], content["scores"]
    except (StorageError, KeyError):
        return None
    names = {photo.name for photo in dataset.split(split)}
    if not isinstance(captions, dict) or set(captions) != names or not isinstance(scores, dict):
        return None
    return Written({str(name): str(text) for name, text in captions.items()}, scores)


def keep_written(
    dataset: CaptionDataset,
    bundle: Bundle,
    split: str,
    decoding: DecodingConfig,
    written: Written,
) -> bool:
    """Keep what the model wrote, and return whether that worked."""
    content = {"captions": dict(written.captions), "scores": dict(written.scores)}
    text = json.dumps(content).encode()
    return put(_path(dataset, bundle, split, decoding), lambda file: file.write(text))


def _path(dataset: CaptionDataset, bundle: Bundle, split: str, decoding: DecodingConfig) -> Path:
    """Name the file by all that the captions depend on."""
    weights = (bundle.folder / "decoder.safetensors").stat()
    parts = {
        "version": FORMAT_VERSION,
        "config": (bundle.folder / "config.json").read_text(encoding="utf-8"),
        "weights": [weights.st_size, weights.st_mtime_ns],
        "photos": dataset.fingerprint,
        "decoding": decoding.to_dict(),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    return shelf(dataset) / f"written-{bundle.name}-{split}-{key}.json"
