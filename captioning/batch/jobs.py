"""What is computed of batches of photos on a cluster, as tables: captions or features."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from captioning.batch.captioning import caption_batches
from captioning.batch.sources import Album, AlbumPhoto
from captioning.bundle import Bundle, read_bundle
from captioning.captioner import Captioner
from captioning.config import DecodingConfig, EncoderConfig
from captioning.encoders import PhotoEncoder
from captioning.errors import BundleError, ImageError
from captioning.images import read_image
from captioning.inference.loading import open_encoder
from captioning.networks import encoder_of
from captioning.prefetch import ahead

Work = Callable[[Iterator[Album]], pa.Table]

_CAPTIONS = pa.schema(
    [(name, pa.string()) for name in ("photo", "caption", "by", "error", "level", "kind")]
    + [(name, pa.float64()) for name in ("log_prob", "confidence", "seconds")]
    + [("familiar", pa.bool_())]
)


@dataclass(frozen=True)
class CaptionJob:
    """A table of `captioning.batch.Row`.

    Attributes:
        model: name or folder of a bundle that is on every machine.
        version: its `Bundle.version`.
        decoding: how to search.
    """

    model: str
    version: str
    decoding: DecodingConfig

    def to_dict(self) -> dict[str, Any]:
        """Return what the captions depend on."""
        return {"captions": self.version, "decoding": self.decoding.to_dict()}

    def open(self) -> Work:
        """Load the model and return a function from batches to a table.

        Raises:
            BundleError: the model is missing here, or has other weights.
        """
        captioner = Captioner.load(_bundle(self.model, self.version).folder)

        def work(batches: Iterator[Album]) -> pa.Table:
            rows = caption_batches(captioner, batches, self.decoding)
            return pa.Table.from_pylist([asdict(r) for some in rows for r in some], _CAPTIONS)

        return work


@dataclass(frozen=True)
class FeatureJob:
    """A table of `photo`, `features` (float16, flat; `shape` is in the metadata) and `error`.

    Attributes:
        encoder: the settings.
        model: name or folder of the bundle whose encoder it is; empty for ImageNet weights.
        version: its `Bundle.version`, or empty.
    """

    encoder: EncoderConfig
    model: str = ""
    version: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what the features depend on."""
        return {"features": self.encoder.to_dict(), "model": self.version}

    def open(self) -> Work:
        """Load the encoder and return a function from batches to a table.

        Raises:
            BundleError: the model is missing here, or has other weights.
            WeightsError: the ImageNet weights cannot be found or downloaded.
        """
        if self.model:
            return partial(_features, encoder_of(_bundle(self.model, self.version)))
        return partial(_features, open_encoder(self.encoder))


def _bundle(model: str, version: str) -> Bundle:
    bundle = read_bundle(model)
    if bundle.version != version:
        raise BundleError(f"The model '{model}' has other weights on the worker's machine.")
    return bundle


def _features(encoder: PhotoEncoder, batches: Iterator[Album]) -> pa.Table:
    def read(batch: Album) -> list[tuple[str, np.ndarray | str]]:
        return [(photo.name, _pixels(encoder, photo)) for photo in batch]

    size = int(np.prod(encoder.feature_shape))
    names, errors, rows = list[str](), list[str](), list[np.ndarray]()
    for pictures in ahead(read, batches):
        good = [pixels for _, pixels in pictures if not isinstance(pixels, str)]
        encoded = iter(encoder.encode(np.stack(good)).astype(np.float16) if good else ())
        for name, pixels in pictures:
            failed = isinstance(pixels, str)
            names.append(name)
            errors.append(pixels if isinstance(pixels, str) else "")
            rows.append(np.zeros(size, np.float16) if failed else next(encoded).ravel())
    mask = pa.array([bool(error) for error in errors])
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(rows)), size, mask=mask)
    table = pa.table({"photo": names, "features": values, "error": errors})
    about = {"shape": encoder.feature_shape, "encoder": encoder.config.to_dict()}
    return table.replace_schema_metadata({name: json.dumps(v) for name, v in about.items()})


def _pixels(encoder: PhotoEncoder, photo: AlbumPhoto) -> np.ndarray | str:
    try:
        return encoder.pixels(read_image(photo.read(), name=photo.name))
    except ImageError as error:
        return str(error)
    except OSError:  # whoever reads the photos keeps the reason
        return "It cannot be read."
