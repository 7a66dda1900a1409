"""Writing bundles, each as a whole."""

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from captioning.bundle.files import write_arrays
from captioning.bundle.reading import FORMAT_VERSION, Bundle, read_bundle
from captioning.bundle.scores import SCORES_BEGIN, SCORES_END, score_table
from captioning.calibration import Calibration
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.errors import BundleError
from captioning.storage import replacing_folder, write_json, write_text
from captioning.vocabulary import Vocabulary

__all__ = [
    "add_scores",
    "check_bundle_folder",
    "keep_calibration",
    "write_bundle",
    "write_encoder",
]

PACKAGES = ("keras", "numpy", "safetensors")
"""Whose versions are kept with a model, for whoever has to find out what changed."""


def check_bundle_folder(folder: Path) -> None:
    """Make sure that a bundle may be written there: the folder is new, empty, or a bundle.

    Raises:
        BundleError: it holds something else, which writing a bundle would delete.
    """
    if (folder / "config.json").is_file() or not folder.exists():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise BundleError(
            f"{folder} holds something that is not a model. Name a new folder for the bundle."
        )


def write_bundle(
    folder: Path,
    *,
    encoder: EncoderConfig,
    decoder: DecoderConfig,
    feature_shape: tuple[int, ...],
    decoding: DecodingConfig,
    vocabulary: Vocabulary,
    decoder_arrays: Mapping[str, np.ndarray],
    encoder_arrays: Mapping[str, np.ndarray] | None = None,
    encoder_from: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    history: list[dict[str, Any]] | None = None,
    card: str = "",
) -> Bundle:
    """Write a bundle; one that was there is replaced.

    Arrays are stored as float16, which halves them and hardly moves a score; one with a number
    too large for it as float32.

    Raises:
        BundleError: it cannot be written, or the folder holds something else; what was there
            before stays as it was.
    """
    folder = folder.absolute()
    check_bundle_folder(folder)
    content = {
        "format_version": FORMAT_VERSION,
        "encoder": encoder.to_dict(),
        "decoder": decoder.to_dict(),
        "feature_shape": list(feature_shape),
        "decoding": decoding.to_dict(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
    if encoder_from is not None:
        content["encoder_from"] = encoder_from
    lines = [json.dumps(record) for record in history or []]
    try:
        with replacing_folder(folder, durable=True) as part:
            write_json(part / "config.json", content)
            vocabulary.save(part / "vocabulary.json")
            write_arrays(part / "decoder.safetensors", decoder_arrays)
            if encoder_arrays is not None:
                write_arrays(part / "encoder.safetensors", encoder_arrays)
            if metrics is not None:
                write_json(part / "metrics.json", metrics)
            write_text(part / "history.jsonl", "".join(f"{line}\n" for line in lines))
            write_text(part / "README.md", card)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The bundle {folder} could not be written: {error}.") from error
    return read_bundle(folder)


def keep_calibration(bundle: Bundle, calibration: Calibration) -> None:
    """Keep with a model what it knows of itself; an earlier calibration is replaced.

    Raises:
        BundleError: the folder cannot be written.
    """
    try:
        write_arrays(bundle.folder / "calibration.safetensors", calibration.arrays())
        write_json(bundle.folder / "calibration.json", calibration.to_dict(), durable=True)
    except (OSError, SafetensorError) as error:
        raise BundleError(
            f"The calibration could not be kept in {bundle.folder}: {error}."
        ) from error


def write_encoder(folder: Path, config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an encoder alone, which runs name as `encoder_from`.

    Raises:
        BundleError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "encoder.json", config.to_dict())
        write_arrays(folder / "encoder.safetensors", arrays)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The encoder {folder} could not be written: {error}.") from error


def add_scores(bundle: Bundle, evaluation: Mapping[str, Any]) -> None:
    """Keep an evaluation with its model, in `metrics.json` and in the card.

    An earlier one of the same data, split and decoding is replaced.

    Raises:
        BundleError: the folder cannot be read or written.
    """
    bundle = read_bundle(bundle.folder)  # there may be newer scores than when it was loaded
    same = ("data", "split", "beam_width", "length_penalty")
    others = [kept for kept in bundle.scores() if any(kept[k] != evaluation[k] for k in same)]
    kept = sorted([*others, dict(evaluation)], key=lambda e: [str(e[k]) for k in same])
    try:
        metrics = {**(bundle.metrics or {}), "evaluations": kept}
        write_json(bundle.folder / "metrics.json", metrics, durable=True)
        before, begin, rest = bundle.card.partition(SCORES_BEGIN)
        _, end, after = rest.partition(SCORES_END)
        if begin and end:
            card = f"{before}{begin}\n{score_table(kept)}{end}{after}"
            write_text(bundle.folder / "README.md", card)
    except OSError as error:
        raise BundleError(f"The scores could not be kept in {bundle.folder}: {error}.") from error
