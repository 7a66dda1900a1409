"""Captioning an album in batches, a row for each photo as it comes."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from captioning.batch.sources import Album, AlbumPhoto
from captioning.calibration.picture_kind import kind_of
from captioning.config import DecodingConfig
from captioning.errors import ImageError
from captioning.images import read_image
from captioning.prefetch import ahead

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.captioner import Captioner

PERSON = "person"
"""Who wrote a caption that no model did."""

BATCH = 8
"""Photos encoded in one turn: few, so that others who share the model wait a second at most."""


@dataclass(frozen=True)
class Row:
    """What became of one photo.

    Attributes:
        photo: its name in the album.
        caption: the sentence as people write it; empty if there is none, or if the model found
            nothing to say.
        log_prob: natural logarithm of its probability; None for a person's caption or none.
        by: the model that wrote it, or "person".
        error: why the photo could not be captioned; else empty.
        seconds: the model's time for it.
        confidence: 0 to 1, as `Caption.confidence`; None for a person's caption or none.
        familiar: whether the photo is like those of training; None likewise.
        level: "sure", "fairly sure" or "not sure"; empty likewise.
        kind: what the picture looks like, as `Caption.kind`; empty if that is not known.
    """

    photo: str
    caption: str = ""
    log_prob: float | None = None
    by: str = ""
    error: str = ""
    seconds: float = 0.0
    confidence: float | None = None
    familiar: bool | None = None
    level: str = ""
    kind: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether the caption needs a warning wherever it goes."""
        return self.level == "not sure" or self.kind not in ("", "photo")

    def corrected(self, caption: str) -> "Row":
        """Return the row with a person's caption; the machine's probability no longer holds."""
        return Row(self.photo, caption, by=PERSON)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order of columns."""
        return asdict(self)


def caption_album(
    captioner: "Captioner",
    album: Album,
    decoding: DecodingConfig | None = None,
    *,
    done: Collection[str] = (),
    should_stop: Callable[[], bool] = lambda: False,
    on_read: Callable[[str, Image.Image], None] = lambda name, photo: None,
) -> Iterator[Row]:
    """Write a sentence about each photo of an album.

    Only a batch of small squares is held in memory at a time, and the next is read while the model
    works at one.  A photo that cannot be read is a row with its reason.

    Args:
        captioner: the model.
        album: the photos.
        decoding: how to choose sentences; by default as the bundle says.
        done: names of photos to leave out.
        should_stop: asked after each batch.
        on_read: given each photo that could be read, in another thread, to make a small copy of.

    Yields:
        A row for each photo, in the order of the album.

    Raises:
        ConfigError: `decoding` asks for a word the model does not know, or for too many.
    """
    known = set(done)
    left = [photo for photo in album if photo.name not in known]
    batches = (left[start : start + BATCH] for start in range(0, len(left), BATCH))
    for rows in caption_batches(captioner, batches, decoding, on_read=on_read):
        yield from rows
        if should_stop():
            return


def caption_batches(
    captioner: "Captioner",
    batches: Iterable[Album],
    decoding: DecodingConfig | None = None,
    *,
    on_read: Callable[[str, Image.Image], None] = lambda name, photo: None,
) -> Iterator[list[Row]]:
    """Write a sentence about each photo of a stream of small batches.

    Args:
        captioner: the model.
        batches: of at most `BATCH` photos each; one more than was asked for is taken and read.
        decoding: how to choose sentences; by default as the bundle says.
        on_read: as for `caption_album`.

    Yields:
        The rows of a batch.

    Raises:
        ConfigError: as for `caption_album`.
    """

    def read(batch: Album) -> tuple[Album, list[_Picture | str]]:
        return batch, [_picture(captioner, photo, on_read) for photo in batch]

    for batch, pictures in ahead(read, batches):
        begun = time.perf_counter()
        good = [picture for picture in pictures if not isinstance(picture, str)]
        written = iter(_describe(captioner, [picture.pixels for picture in good], decoding))
        seconds = (time.perf_counter() - begun) / max(len(good), 1)
        yield [
            Row(photo.name, error=picture)
            if isinstance(picture, str)
            else _row(photo, next(written), picture.kind, seconds)
            for photo, picture in zip(batch, pictures, strict=True)
        ]


class _Picture(NamedTuple):
    """A photo as the encoder takes it, and what kind of picture it is."""

    pixels: np.ndarray
    kind: str


def _picture(
    captioner: "Captioner", photo: AlbumPhoto, on_read: Callable[[str, Image.Image], None]
) -> _Picture | str:
    """Read a photo as the square the encoder takes, or say why it cannot be."""
    try:
        read = read_image(photo.read(), name=photo.name)
        on_read(photo.name, read)
        kind = kind_of(read) if captioner.bundle.learned_from_photos else ""
        return _Picture(captioner.encoder.pixels(read), kind)
    except ImageError as error:
        return str(error)
    except Exception as error:  # one odd photo must not cost the others their captions
        return f"The photo '{photo.name}' cannot be captioned ({error})."


def _describe(
    captioner: "Captioner", pixels: list[np.ndarray], decoding: DecodingConfig | None
) -> "list[Caption]":
    if not pixels:
        return []
    # A batch of one would take the loop compiled for single photos; a last batch is filled up so
    # that all have one shape, which is compiled once.
    filled = np.stack([*pixels, *[pixels[0]] * (BATCH - len(pixels))])
    features = captioner.encode_squares(filled)
    return captioner.describe(features, decoding)[: len(pixels)]


def _row(photo: AlbumPhoto, caption: "Caption", kind: str, seconds: float) -> Row:
    return Row(
        photo=photo.name,
        caption=caption.sentence,
        log_prob=round(caption.log_prob, 4),
        by=caption.model,
        seconds=round(seconds, 4),
        confidence=None if caption.confidence is None else round(caption.confidence, 3),
        familiar=caption.familiar,
        level=caption.level or "",
        kind=kind,
    )
