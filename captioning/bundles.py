"""A trained model as a folder: plain JSON and plain arrays, nothing that can run.

    <name>/  README.md  config.json  vocabulary.json  decoder.safetensors
             [encoder.safetensors]  [metrics.json]  [history.jsonl]

docs/bundle-format.md describes each file.  Reading a bundle needs no Keras, so pages can list the
models at no cost; the arrays are read when a `Captioner` is made.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.errors import BundleError
from captioning.paths import data_folder, shipped_models
from captioning.vocabulary import Vocabulary

__all__ = [
    "SCORES_BEGIN",
    "SCORES_END",
    "Bundle",
    "add_scores",
    "default_model",
    "find_bundles",
    "model_folders",
    "read_bundle",
    "score_table",
    "write_bundle",
]

FORMAT_VERSION = 1
PACKAGES = ("keras", "numpy", "safetensors")

PREFERRED = ("flickr8k-compact", "flickr8k-xception", "flickr8k-efficientnet")
"""Which model captions when none is named: the first of these at hand, else any."""

SCORES_BEGIN, SCORES_END = "<!-- scores -->", "<!-- end of scores -->"
"""Between these lines of a card stands its table of scores."""


@dataclass(frozen=True)
class Bundle:
    """A model on disk, all but its arrays.

    Attributes:
        name: the folder's name.
        folder: where it lies.
        encoder: which encoder it reads photos with.
        decoder: kind and sizes.
        feature_shape: what the encoder gives it, `(R, D)` or `(D,)`.
        decoding: how it is meant to be searched.
        vocabulary: its words.
        encoder_from: the bundle whose encoder it shares, if it does not bring its own.
        metrics: its scores with their protocol; None if it was never scored.
        card: the text of its README.md.
    """

    name: str
    folder: Path
    encoder: EncoderConfig
    decoder: DecoderConfig
    feature_shape: tuple[int, ...]
    decoding: DecodingConfig
    vocabulary: Vocabulary
    encoder_from: str | None = None
    metrics: dict[str, Any] | None = None
    card: str = ""

    def decoder_arrays(self) -> dict[str, np.ndarray]:
        """Read the decoder's weights by path.

        Raises:
            BundleError: the file is missing or damaged.
        """
        return _read_arrays(self.folder / "decoder.safetensors")

    def encoder_arrays(self) -> dict[str, np.ndarray] | None:
        """Read the encoder's weights by path; None if they are ImageNet's and not stored here.

        Raises:
            BundleError: the file is damaged, or the bundle it is shared from cannot be read.
        """
        if self.encoder_from is not None:
            return read_bundle(self.encoder_from).encoder_arrays()
        path = self.folder / "encoder.safetensors"
        return _read_arrays(path) if path.exists() else None

    def scores(self) -> list[dict[str, Any]]:
        """Return the evaluations kept with the model, each with its protocol beside it."""
        return list((self.metrics or {}).get("evaluations", []))

    def history(self) -> list[dict[str, Any]]:
        """Read one record an epoch; none if the bundle keeps no history.

        Raises:
            BundleError: the file is damaged.
        """
        path = self.folder / "history.jsonl"
        if not path.exists():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} cannot be read: {error}.") from error


def model_folders() -> list[Path]:
    """Return where bundles are looked for: what people made first, then what was shipped."""
    return [data_folder() / "models", shipped_models()]


def find_bundles() -> list[Bundle]:
    """List the bundles at hand by name; a damaged one is left out."""
    found: dict[str, Bundle] = {}
    for place in model_folders():
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            if folder.name not in found and (folder / "config.json").is_file():
                try:
                    found[folder.name] = read_bundle(folder)
                except BundleError:
                    continue  # naming it (`--model`, a link) tells what is wrong
    return sorted(found.values(), key=lambda bundle: bundle.name)


def default_model() -> str:
    """Return the name of the model that captions when none is named.

    Raises:
        BundleError: there is no model at all.
    """
    names = [bundle.name for bundle in find_bundles()]
    if not names:
        raise BundleError(
            "There is no model yet. Train one: "
            "python -m captioning train --config configs/shapes-two-minutes.json"
        )
    return next((name for name in PREFERRED if name in names), names[0])


def read_bundle(name: str | Path) -> Bundle:
    """Read a bundle by name or folder.

    Raises:
        BundleError: there is none, or a file of it is missing, damaged, or of another version.
    """
    folder = _find(name)
    content = _read_json(folder / "config.json")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{folder / 'config.json'}: format version {version!r}; "
            f"this program reads {FORMAT_VERSION}."
        )
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    try:
        bundle = Bundle(
            name=folder.name,
            folder=folder,
            encoder=EncoderConfig.from_dict(content["encoder"]),
            decoder=DecoderConfig.from_dict(content["decoder"]),
            feature_shape=tuple(int(n) for n in content["feature_shape"]),
            decoding=DecodingConfig.from_dict(content["decoding"]),
            vocabulary=vocabulary,
            encoder_from=content.get("encoder_from"),
            metrics=_read_optional(folder / "metrics.json"),
            card=_read_text(folder / "README.md"),
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{folder / 'config.json'}: {what}") from error
    if not (folder / "decoder.safetensors").is_file():
        raise BundleError(f"{folder}: decoder.safetensors is missing; copy the whole folder again.")
    return bundle


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
    """Write a bundle beside `folder` and move it into place; one that was there is replaced.

    Arrays are stored as float16, which moves no caption of the shipped models.

    Raises:
        BundleError: it cannot be written; a bundle that was there before stays as it was.
    """
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
    beside = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        _write_json(beside / "config.json", content)
        vocabulary.save(beside / "vocabulary.json")
        _write_arrays(beside / "decoder.safetensors", decoder_arrays)
        if encoder_arrays is not None:
            _write_arrays(beside / "encoder.safetensors", encoder_arrays)
        if metrics is not None:
            _write_json(beside / "metrics.json", metrics)
        lines = [json.dumps(record) for record in history or []]
        (beside / "history.jsonl").write_text("".join(f"{line}\n" for line in lines))
        (beside / "README.md").write_text(card, encoding="utf-8")
        _replace(beside, folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise BundleError(f"The bundle {folder} could not be written: {error}.") from error
    return read_bundle(folder)


def add_scores(bundle: Bundle, evaluation: Mapping[str, Any]) -> None:
    """Keep an evaluation with its model, in `metrics.json` and in the card.

    An earlier one of the same data, split and decoding is replaced.

    Raises:
        BundleError: the folder cannot be written.
    """
    same = ("data", "split", "beam_width", "length_penalty")
    others = [kept for kept in bundle.scores() if any(kept[k] != evaluation[k] for k in same)]
    kept = sorted([*others, dict(evaluation)], key=lambda e: [str(e[k]) for k in same])
    try:
        _write_json(bundle.folder / "metrics.json", {**(bundle.metrics or {}), "evaluations": kept})
        before, begin, rest = bundle.card.partition(SCORES_BEGIN)
        _, end, after = rest.partition(SCORES_END)
        if begin and end:
            card = f"{before}{begin}\n{score_table(kept)}{end}{after}"
            (bundle.folder / "README.md").write_text(card, encoding="utf-8")
    except OSError as error:
        raise BundleError(f"The scores could not be kept in {bundle.folder}: {error}.") from error


def score_table(evaluations: Sequence[Mapping[str, Any]]) -> str:
    """Write evaluations as a Markdown table; the empty string if there are none."""
    if not evaluations:
        return ""
    measures = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
    lines = [
        "| data | split | photos | beam | length penalty | BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 "
        "| ROUGE-L | CIDEr |",
        "| --- " * 11 + "|",
    ]
    for evaluation in evaluations:
        cells = [str(evaluation[k]) for k in ("data", "split", "images", "beam_width")]
        cells += [f"{evaluation['length_penalty']:g}"]
        cells += [f"{evaluation[name]:.1f}" for name in measures]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _replace(new: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def _find(name: str | Path) -> Path:
    """Find a bundle's folder.  A bare name is looked for among the models, not just anywhere."""
    given = Path(name).expanduser()
    places = [place / given for place in model_folders()] if len(given.parts) == 1 else []
    for folder in [*places, given]:
        if (folder / "config.json").is_file():
            return folder.resolve()
    known = ", ".join(sorted({f.name for p in model_folders() if p.is_dir() for f in p.iterdir()}))
    raise BundleError(
        f"There is no model called {str(name)!r}. Known: {known or 'none yet'}. "
        "A model is a folder with a config.json in it."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def _read_optional(path: Path) -> dict[str, Any] | None:
    return _read_json(path) if path.exists() else None


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; copy the whole folder again.") from error
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path} is damaged: {error}.") from error


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    stored = {k: np.asarray(v, np.float16, order="C") for k, v in arrays.items()}
    path.write_bytes(save(stored))  # `save_file` would make it readable to its owner alone
