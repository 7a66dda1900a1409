"""Writing, publishing, renaming and unpublishing bundles.

A published model is a copy of a run's bundle in the data folder's models, with a note of who
published it, when, and from which run.  The names of the shipped models are reserved.
"""

import json
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from captioning.bundle.files import (
    EVALUATIONS,
    SCORES_BEGIN,
    SCORES_END,
    score_table,
    write_arrays,
)
from captioning.bundle.listing import find_bundles
from captioning.bundle.reading import (
    FORMAT_VERSION,
    PUBLICATION,
    Bundle,
    bundle_folders,
    read_bundle,
)
from captioning.calibration import Calibration
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig, TrainingConfig
from captioning.errors import BundleError
from captioning.storage import (
    data_folder,
    replacing_folder,
    restore_replaced,
    shipped_models,
    write_json,
    write_text,
)
from captioning.vocabulary import Vocabulary

PACKAGES = ("keras", "numpy", "safetensors")
"""Packages whose versions are stored with a model, to help find out what changed."""


def check_bundle_folder(folder: Path) -> None:
    """Check that a bundle may be written to a folder: it is new, empty, or a bundle.

    Raises:
        BundleError: it has other content, which writing a bundle would delete.
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
    """Write or replace a bundle.

    Arrays are stored as float16, which halves their size and hardly changes a score, or as float32
    if a number is too large.

    Raises:
        BundleError: it cannot be written, or the folder has other content; the earlier content is
            not changed.
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
    """Store the calibration of a model; an earlier one is replaced.

    Raises:
        BundleError: the folder cannot be written.
    """
    try:
        write_arrays(bundle.folder / "calibration.safetensors", calibration.arrays())
        write_json(bundle.folder / "calibration.json", calibration.to_dict(), durable=True)
    except (OSError, SafetensorError) as error:
        raise BundleError(
            f"The calibration could not be stored in {bundle.folder}: {error}."
        ) from error


def write_encoder(folder: Path, config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an encoder without a decoder, which runs can name as `encoder_from`.

    Raises:
        BundleError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "encoder.json", config.to_dict())
        write_arrays(folder / "encoder.safetensors", arrays)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The encoder {folder} could not be written: {error}.") from error


def add_scores(
    bundle: Bundle, evaluation: Mapping[str, Any], *, neutral_words: bool = False
) -> None:
    """Store an evaluation with its model, in `metrics.json` and in the card.

    An earlier one of the same data, split and decoding is replaced.

    Args:
        bundle: the model.
        evaluation: its protocol and scores.
        neutral_words: whether captions with neutral words for people were scored; such scores are
            stored apart and are not in the card.

    Raises:
        BundleError: the folder cannot be read or written.
    """
    bundle = read_bundle(bundle.folder)  # its scores may have changed since it was loaded
    same = ("data", "split", "beam_width", "length_penalty")
    others = [
        kept
        for kept in bundle.scores(neutral_words=neutral_words)
        if any(kept[k] != evaluation[k] for k in same)
    ]
    kept = sorted([*others, dict(evaluation)], key=lambda e: [str(e[k]) for k in same])
    try:
        metrics = {**(bundle.metrics or {}), EVALUATIONS[neutral_words]: kept}
        write_json(bundle.folder / "metrics.json", metrics, durable=True)
        if neutral_words:
            return
        before, begin, rest = bundle.card.partition(SCORES_BEGIN)
        _, end, after = rest.partition(SCORES_END)
        if begin and end:
            card = f"{before}{begin}\n{score_table(kept)}{end}{after}"
            write_text(bundle.folder / "README.md", card)
    except OSError as error:
        raise BundleError(f"The scores could not be stored in {bundle.folder}: {error}.") from error


def publish_bundle(
    source: Path,
    name: str,
    *,
    run: str,
    by: str = "",
    replace: bool = False,
    models: Path | None = None,
) -> Bundle:
    """Copy a run's bundle to the models that are offered to everybody.

    Args:
        source: the bundle's folder.
        name: of the model.
        run: the run that it comes from.
        by: who publishes it; empty if unknown.
        replace: whether a published model of that name may be replaced.
        models: the folder to copy it to; by default the models of the data folder.

    Raises:
        BundleError: the name is taken or reserved, the bundle is damaged, or the copy cannot be
            written.
        ConfigError: the name is not valid for a model.
    """
    models = models or data_folder() / "models"
    _check_name(name)
    read_bundle(source)
    target = models / name
    twin = _twin(name, models)
    if twin not in (None, name) or (target.exists() and not replace):
        raise BundleError(f"There is already a model called {twin or name}. Choose another name.")
    if target.exists():
        _check_not_lent(name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with _writing(target), replacing_folder(target, durable=True) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)
        write_json(part / PUBLICATION, {"run": run, "by": by, "at": now})
    return read_bundle(target)


def unpublish_bundle(name: str) -> None:
    """Remove a published model; the run that it comes from keeps its copy.

    Raises:
        BundleError: no such model was published, or another model reads photos with its encoder.
    """
    folder = _published(name)
    hidden = folder.with_name(f".{folder.name}.deleted")
    with _writing(folder):
        folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def restore_models() -> None:
    """Put back published models that a kill has left moved away; call it when a server starts."""
    for old in (data_folder() / "models").glob(".*.old"):
        with suppress(OSError):
            restore_replaced(old.with_name(old.name[1:].removesuffix(".old")))


def rename_bundle(name: str, new_name: str) -> Bundle:
    """Rename a published model.

    Raises:
        BundleError: no such model was published, another model reads photos with its encoder, or
            the new name is taken or reserved.
        ConfigError: the new name is not valid for a model.
    """
    folder = _published(name)
    _check_name(new_name)
    target = folder.with_name(new_name)
    twin = _twin(new_name, folder.parent)
    if new_name == name or twin not in (None, name) or (twin is None and target.exists()):
        raise BundleError(
            f"There is already a model called {twin or new_name}. Choose another name."
        )
    with _writing(target):
        folder.rename(target)
    return read_bundle(target)


def _published(name: str) -> Path:
    """Return the folder of a model that may be removed or renamed."""
    bundle = read_bundle(name)
    if bundle.published is None:
        raise BundleError(
            f"The model {name} was not published from a run, so it cannot be changed."
        )
    _check_not_lent(bundle.name)
    return bundle.folder


def is_reserved(name: str) -> bool:
    """Return whether a shipped model has this name, in upper or lower case."""
    return _twin(name, shipped_models()) is not None


def _twin(name: str, models: Path) -> str | None:
    """Return the model of a folder whose name differs at most in case or in the form of letters.

    Some file systems would take both for the same.
    """
    folded = _fold(name)
    return next((one.name for one in bundle_folders(models) if _fold(one.name) == folded), None)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _check_name(name: str) -> None:
    TrainingConfig(name=name)  # refuses invalid names
    if is_reserved(name):
        raise BundleError(
            f"{name} is the name of a model that comes with the app. Choose another name."
        )


def _check_not_lent(name: str) -> None:
    borrowers = [bundle.name for bundle in find_bundles() if bundle.encoder_from == name]
    if borrowers:
        raise BundleError(f"The model {borrowers[0]} reads photos with the encoder of {name}.")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except shutil.Error as error:  # of a whole folder: one (source, target, reason) for each file
        reason = error.args[0][0][2]
        raise BundleError(f"The model {target} cannot be written: {reason}.") from error
    except OSError as error:
        raise BundleError(f"The model {target} cannot be written: {error}.") from error
