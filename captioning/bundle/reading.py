"""Finding and reading bundles."""

import hashlib
import json
import math
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from captioning.bundle.files import read_arrays, read_json, read_metrics, read_text
from captioning.calibration import Calibration
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.encoders.weight_files import has_weights
from captioning.errors import BundleError
from captioning.storage import data_folder, read_regular_file, shipped_models
from captioning.vocabulary import Vocabulary

__all__ = [
    "FORMAT_VERSION",
    "PUBLICATION",
    "Bundle",
    "Publication",
    "bundle_folders",
    "default_model",
    "find_bundles",
    "model_folders",
    "read_bundle",
]

FORMAT_VERSION = 1

PREFERRED = ("everyday", "flickr8k-compact", "flickr8k-xception", "flickr8k-efficientnet")
"""Which model captions when none is named: the first of these at hand, else any."""

MAX_FEATURES, MAX_REGIONS = 1_000_000, 4096
"""More numbers and regions than any encoder gives: a damaged size must not ask for terabytes."""


MAX_HISTORY_BYTES = 50_000_000

Fingerprint = tuple[tuple[str, int, int, int], ...]
_KNOWN: dict[Path, tuple[Fingerprint, "Bundle"]] = {}
_LOCK = Lock()
_MOST_KNOWN, _SETTLED_NS = 256, 2_000_000_000

PUBLICATION = "published.json"
"""The file of a published model that says who published it."""


@dataclass(frozen=True)
class Publication:
    """How a model came among those that are offered to everybody.

    Attributes:
        run: the run that it comes from.
        by: who published it; empty if that is not known.
        at: when, in ISO 8601.
    """

    run: str
    by: str
    at: str


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
        published: who published it, if somebody did.
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
    published: Publication | None = None

    @property
    def has_weights(self) -> bool:
        """Whether the model can run here without a download, as far as names of files tell."""
        return has_weights(self.encoder)

    @cached_property
    def version(self) -> str:
        """Eight digits that change with the decoder's weights; empty if they cannot be read."""
        try:
            with open(self.folder / "decoder.safetensors", "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:8]
        except OSError:
            return ""

    @property
    def learned_from_photos(self) -> bool:
        """Whether the training data are known and are not the generated shapes."""
        training = (self.metrics or {}).get("training")
        data = training.get("data") if isinstance(training, dict) else None
        return data is not None and data != "shapes"

    def decoder_arrays(self) -> dict[str, np.ndarray]:
        """Read the decoder's weights by path.

        Raises:
            BundleError: the file is missing or damaged.
        """
        return read_arrays(self.folder / "decoder.safetensors")

    def encoder_arrays(self) -> dict[str, np.ndarray] | None:
        """Read the encoder's weights by path; None if they are ImageNet's and not stored here.

        Raises:
            BundleError: the file is damaged, or the bundle it is shared from cannot be read.
        """
        file = self.encoder_file()
        return None if file is None else read_arrays(file)

    def encoder_file(self) -> Path | None:
        """Return the file with the encoder's weights; None if they are ImageNet's.

        Raises:
            BundleError: the bundle it is shared from cannot be read or has no encoder of its own.
        """
        if self.encoder_from is not None:
            lender = read_bundle(self.encoder_from)
            file = None if lender.encoder_from else lender.encoder_file()
            if file is None:
                raise BundleError(
                    f"{self.folder / 'config.json'}: the encoder should come from "
                    f"{self.encoder_from}, which has none of its own."
                )
            return file
        path = self.folder / "encoder.safetensors"
        return path if path.exists() else None

    def check_room(self) -> None:
        """Compare the sizes that `config.json` names with the weights, before they are allocated.

        What is counted are the layers that every decoder has, so a whole bundle has more.  A stored
        number takes at least two bytes.

        Raises:
            BundleError: a decoder of these sizes does not fit into the file.
        """
        decoder, words = self.decoder, len(self.vocabulary)
        wanted = words * (decoder.embedding_size + 1)
        wanted += 4 * decoder.units * (decoder.units + decoder.embedding_size)
        wanted += self.feature_shape[-1] * decoder.units
        path = self.folder / "decoder.safetensors"
        stored = path.stat().st_size // 2 if path.is_file() else 0
        if wanted > stored:
            raise BundleError(
                f"{self.folder / 'config.json'} describes at least {wanted:,} numbers, and "
                f"{path.name} has room for {stored:,}. Copy the whole folder again."
            )

    def calibration(self) -> Calibration | None:
        """Read what the model knows of itself; None if it was never calibrated.

        Raises:
            BundleError: a file is damaged, or one of the two is missing.
        """
        facts, arrays = (self.folder / f"calibration.{kind}" for kind in ("json", "safetensors"))
        if not facts.exists() and not arrays.exists():
            return None
        return Calibration.from_parts(read_json(facts), read_arrays(arrays), source=str(facts))

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
            lines = read_regular_file(path, MAX_HISTORY_BYTES).decode("utf-8").splitlines()
            records = [json.loads(line) for line in lines if line.strip()]
        except (OSError, ValueError, RecursionError) as error:
            raise BundleError(f"{path} cannot be read: {error}.") from error
        if not all(isinstance(record, dict) for record in records):
            raise BundleError(f"{path}: expected a JSON object on each line.")
        return records


def model_folders() -> list[Path]:
    """Return where bundles are looked for: what people made first, then what was shipped."""
    return [data_folder() / "models", shipped_models()]


def find_bundles() -> list[Bundle]:
    """List the bundles by name; a damaged one is left out.

    Files that have not changed since the last call are not read again.
    """
    found: dict[str, Bundle] = {}
    for place in model_folders():
        for folder in bundle_folders(place):
            if folder.name not in found:
                try:
                    found[folder.name] = _read_if_changed(folder)
                except BundleError:
                    continue  # naming it (`--model`, a link) tells what is wrong
    return sorted(found.values(), key=lambda bundle: bundle.name)


def _read_if_changed(folder: Path) -> Bundle:
    """Read a bundle, or return what was read of the same files before.

    Raises:
        BundleError: as `read_bundle`.
    """
    fingerprint = _fingerprint(folder)
    with _LOCK:
        known = _KNOWN.get(folder)
    if known is not None and known[0] == fingerprint:
        return known[1]
    bundle = read_bundle(folder)
    # A file written in this very moment can change again without a later time.
    newest = max((changed for _, changed, *_ in fingerprint), default=0)
    with _LOCK:
        if time.time_ns() - newest > _SETTLED_NS:
            while len(_KNOWN) >= _MOST_KNOWN:
                del _KNOWN[next(iter(_KNOWN))]
            _KNOWN[folder] = (fingerprint, bundle)
        else:
            _KNOWN.pop(folder, None)
    return bundle


def _fingerprint(folder: Path) -> Fingerprint:
    """Return for each file of a bundle its name, time of change in ns, size and number."""
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()
    return tuple(
        sorted((name, max(s.st_mtime_ns, s.st_ctime_ns), s.st_size, s.st_ino) for name, s in stats)
    )


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
    content = read_json(folder / "config.json")
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
            feature_shape=_checked_shape(content["feature_shape"]),
            decoding=DecodingConfig.from_dict(content["decoding"]),
            vocabulary=vocabulary,
            encoder_from=_checked_lender(content.get("encoder_from")),
            metrics=read_metrics(folder / "metrics.json"),
            card=read_text(folder / "README.md"),
            published=_read_publication(folder / PUBLICATION),
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{folder / 'config.json'}: {what}") from error
    if not (folder / "decoder.safetensors").is_file():
        raise BundleError(f"{folder}: decoder.safetensors is missing; copy the whole folder again.")
    return bundle


def _read_publication(path: Path) -> Publication | None:
    if not path.exists():
        return None
    content = read_json(path)
    return Publication(*(str(content.get(key, ""))[:200] for key in ("run", "by", "at")))


def lent_encoder(name: str | Path) -> tuple[dict[str, np.ndarray], bool]:
    """Read the encoder that a run names as `encoder_from`.

    Args:
        name: a bundle that has an encoder of its own, or a folder with `encoder.safetensors` alone
            (what a distillation leaves).

    Returns:
        Its weights by path, and whether a bundle lends them: the new one then need not keep them.

    Raises:
        BundleError: there is no such bundle or folder, or it has no encoder of its own.
    """
    alone = Path(os.path.expanduser(name)) / "encoder.safetensors"
    if alone.is_file() and not _is_bundle(alone.parent):
        return read_arrays(alone), False
    bundle = read_bundle(name)
    arrays = None if bundle.encoder_from else bundle.encoder_arrays()
    if arrays is None:
        raise BundleError(f"{bundle.folder} has no encoder of its own that could be used here.")
    return arrays, True


def bundle_folders(place: Path) -> list[Path]:
    """List the folders of bundles in `place`; hidden ones are unfinished, and left out."""
    folders = sorted(place.iterdir()) if place.is_dir() else []
    return [folder for folder in folders if folder.name[0] != "." and _is_bundle(folder)]


def _is_bundle(folder: Path) -> bool:
    try:
        return (folder / "config.json").is_file()
    except OSError:  # a folder of somebody else's, a name longer than names may be
        return False


def _find(name: str | Path) -> Path:
    """Find a bundle's folder.  A bare name is looked for among the models, not just anywhere."""
    given = Path(os.path.expanduser(name))
    places = [place / given for place in model_folders()] if len(given.parts) == 1 else []
    for folder in [*places, given]:
        if _is_bundle(folder):
            return folder.resolve()
    known = ", ".join(sorted({f.name for place in model_folders() for f in bundle_folders(place)}))
    raise BundleError(
        f"There is no model called {str(name)!r}. Known: {known or 'none yet'}. "
        "A model is a folder with a config.json in it."
    )


def _checked_shape(value: Any) -> tuple[int, ...]:
    sizes: list[Any] = value if isinstance(value, list) and len(value) in (1, 2) else [None]
    is_shape = all(type(size) is int and 1 <= size <= MAX_FEATURES for size in sizes)
    too_many = is_shape and len(sizes) == 2 and sizes[0] > MAX_REGIONS
    if not is_shape or too_many or math.prod(sizes) > MAX_FEATURES:
        raise ValueError(
            f"feature_shape must be one or two sizes, of at most {MAX_REGIONS:,} regions and "
            f"{MAX_FEATURES:,} numbers in all, found {str(value)[:80]!r}."
        )
    return tuple(sizes)


def _checked_lender(value: Any) -> str | None:
    """Admit a bundle's name; a path could lead anywhere."""
    if value is not None and (not isinstance(value, str) or Path(value).parts != (value,)):
        raise ValueError(f"encoder_from must be the name of a model, found {value!r}.")
    return value
