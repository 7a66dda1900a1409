"""Reading one bundle."""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from captioning.bundle.files import EVALUATIONS, read_arrays, read_metrics, read_text
from captioning.calibration import Calibration
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.encoders.registry import ENCODERS, has_weights
from captioning.errors import BundleError, quoted
from captioning.storage import data_folder, read_json, read_regular_file, shipped_models
from captioning.text import readable
from captioning.vocabulary import Vocabulary

FORMAT_VERSION = 1

MAX_FEATURES, MAX_REGIONS = 1_000_000, 4096
"""More than any encoder has; a damaged size must not allocate terabytes."""

MAX_HISTORY_BYTES = 5_000_000
MAX_WEIGHTS_BYTES = 2_000_000_000
MAX_CALIBRATION_BYTES = 100_000_000

PUBLICATION = "published.json"
"""The file of a published model with the facts of its publication."""


@dataclass(frozen=True)
class Publication:
    """The publication of a model.

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
    """A model on disk, without its arrays.

    Attributes:
        name: the folder's name.
        folder: its folder.
        encoder: which encoder reads the photos.
        decoder: kind and sizes of the decoder.
        feature_shape: of the encoder's features, `(R, D)` or `(D,)`.
        decoding: its default search.
        vocabulary: its words.
        encoder_from: the bundle whose encoder it uses, if it does not have its own.
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
        """Whether the model can run without a download, judged by the names of files."""
        return has_weights(self.encoder)

    @property
    def has_known_encoder(self) -> bool:
        """Whether its encoder comes with this package or is registered."""
        return self.encoder.name in ENCODERS

    @cached_property
    def version(self) -> str:
        """A hash of the decoder's weights, eight digits; empty if they cannot be read."""
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
            BundleError: the bundle it is shared from cannot be read, or does not have its own.
        """
        if self.encoder_from is not None:
            lender = read_bundle(self.encoder_from)
            file = None if lender.encoder_from else lender.encoder_file()
            if file is None:
                raise BundleError(
                    f"{self.folder / 'config.json'}: the encoder should come from "
                    f"{self.encoder_from}, which does not have its own."
                )
            return file
        path = self.folder / "encoder.safetensors"
        return path if path.exists() else None

    def check_room(self) -> None:
        """Compare the sizes in `config.json` with the weights, before memory is allocated.

        Only the layers that every decoder has are counted.  A stored number takes at least two
        bytes.

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
        _check_weights(arrays, MAX_CALIBRATION_BYTES)
        content = read_json(facts, dict, error=BundleError)
        return Calibration.from_parts(content, read_arrays(arrays), source=str(facts))

    def scores(self, *, neutral_words: bool = False) -> list[dict[str, Any]]:
        """Return the stored evaluations of the model, each with its protocol.

        Args:
            neutral_words: those of captions with neutral words for people.
        """
        return list((self.metrics or {}).get(EVALUATIONS[neutral_words], []))

    def history(self) -> list[dict[str, Any]]:
        """Read the history, one record per epoch; empty if the bundle has none.

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
    """Return the folders that are searched for bundles: those of users, then the shipped ones."""
    return [data_folder() / "models", shipped_models()]


def read_bundle(name: str | Path) -> Bundle:
    """Read a bundle by name or folder.

    Raises:
        BundleError: it does not exist, or a file is missing, damaged, or of another version.
    """
    folder = _find(name)
    content = read_json(folder / "config.json", dict, error=BundleError)
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{folder / 'config.json'}: format version {quoted(version)}; "
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
    if not (folder / "decoder.safetensors").exists():
        raise BundleError(f"{folder}: decoder.safetensors is missing; copy the whole folder again.")
    for name in ("decoder.safetensors", "encoder.safetensors"):
        _check_weights(folder / name)
    return bundle


def _check_weights(path: Path, most: int = MAX_WEIGHTS_BYTES) -> None:
    """Check that a file of arrays, if there is one, is a regular file of a possible size."""
    if path.exists() and not (path.is_file() and path.stat().st_size <= most):
        raise BundleError(f"{path} is not a file of weights; copy the whole folder again.")


def _read_publication(path: Path) -> Publication | None:
    if not path.exists():
        return None
    content = read_json(path, dict, error=BundleError)
    return Publication(*(str(content.get(key, ""))[:200] for key in ("run", "by", "at")))


def lent_encoder(name: str | Path) -> tuple[dict[str, np.ndarray], bool]:
    """Read the encoder that a run names as `encoder_from`.

    Args:
        name: a bundle with its own encoder, or a folder with only `encoder.safetensors`, which is
            the result of a distillation.

    Returns:
        Its weights by path, and whether they are those of a bundle; a new bundle then need not
        store them.

    Raises:
        BundleError: there is no such bundle or folder, or it does not have its own encoder.
    """
    alone = Path(os.path.expanduser(name)) / "encoder.safetensors"
    if alone.is_file() and not _is_bundle(alone.parent):
        return read_arrays(alone), False
    bundle = read_bundle(name)
    arrays = None if bundle.encoder_from else bundle.encoder_arrays()
    if arrays is None:
        raise BundleError(f"{bundle.folder} does not have its own encoder, which is needed here.")
    return arrays, True


def bundle_folders(place: Path) -> list[Path]:
    """List the folders of bundles in `place`.

    Hidden ones are left out, which are unfinished, and those whose name is not UTF-8: no page can
    show it.
    """
    folders = sorted(place.iterdir()) if place.is_dir() else []
    shown = (f for f in folders if f.name[0] != "." and readable(f.name) == f.name)
    return [folder for folder in shown if _is_bundle(folder)]


def _is_bundle(folder: Path) -> bool:
    try:
        return (folder / "config.json").is_file()
    except OSError:  # another user's folder, or a name that is too long
        return False


def _find(name: str | Path) -> Path:
    """Find a bundle's folder; a name without a path is one of the models first."""
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
    """Accept only a bundle's name, since a path could lead anywhere."""
    if value is None:
        return None
    is_name = isinstance(value, str) and Path(value).parts == (value,) and value != ".."
    if is_name and not value.startswith("~"):
        return str(value)
    raise ValueError(f"encoder_from must be the name of a model, found {quoted(value)}.")
