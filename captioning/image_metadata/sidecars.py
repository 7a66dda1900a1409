"""XMP sidecars, the small files next to photos, and whose words a photo or sidecar carries.

A sidecar holds the same XMP packet that a photo file would carry.  Immich, digiKam and darktable
read `photo.jpg.xmp`; Lightroom writes `photo.xmp`.
"""

import contextlib
import io

from PIL import Image

from captioning.errors import ImageError
from captioning.image_formats import PNG_SIGNATURE, needs_isolation
from captioning.image_metadata import exif, iptc, xmp
from captioning.image_metadata.captions import (
    ALT_TEXT,
    DESCRIPTION,
    caption_properties,
    is_marked,
)
from captioning.image_metadata.containers import Metadata, container_of
from captioning.image_modes import is_moderate_exif
from captioning.isolated_photos import metadata_isolated

# What some cameras write into ImageDescription of every photo.
_BY_CAMERAS = frozenset(
    (
        "OLYMPUS DIGITAL CAMERA",
        "SONY DSC",
        "MINOLTA DIGITAL CAMERA",
        "KONICA MINOLTA DIGITAL CAMERA",
        "KODAK Digital Still Camera",
        "SAMSUNG DIGITAL CAMERA",
        "Exif_JPEG_PICTURE",
        "DIGITAL CAMERA",
    )
)


def write_sidecar(
    packet: bytes | None,
    caption: str,
    *,
    writer: str | None = None,
    version: str = "",
    confidence: float | None = None,
    doubtful: bool = False,
) -> bytes:
    """Return a sidecar with a caption; everything else in the old one is kept.

    Args:
        packet: the old sidecar; None makes a new one.
        caption: the sentence.
        writer: as in `write_caption`, like the arguments below.
        version: the model's.
        confidence: 0 to 1.
        doubtful: whether the caption needs a warning.

    Raises:
        ImageError: the old sidecar is damaged.
    """
    properties = caption_properties(
        caption, writer=writer, version=version, confidence=confidence, doubtful=doubtful
    )
    new = xmp.with_properties(packet, properties)
    if new is None:
        raise ImageError("The sidecar is damaged, so no caption is written into it.")
    return new


def has_words_of_a_person(*, photo: bytes = b"", sidecar: bytes = b"") -> bool:
    """Return whether a photo or a sidecar has a description that no model wrote.

    A caption that this program wrote begins with "Machine-made caption".  Any other description or
    alternative text counts as a person's, except what cameras write into every photo.

    Args:
        photo: the file; one that is damaged has no words.
        sidecar: the XMP packet next to it.
    """
    texts = _texts_of_xmp(sidecar or None)
    if photo:
        with contextlib.suppress(Exception):  # a damaged photo is reported when it is decoded
            texts += _texts_of_photo(photo)
    return any(
        text and text not in _BY_CAMERAS and not is_marked(text)
        for text in (text.strip("\0 \t\r\n") for text in texts)
    )


def _texts_of_photo(photo: bytes) -> list[str]:
    found, texts = _metadata_of(photo), []
    if photo.startswith(PNG_SIGNATURE):
        with Image.open(io.BytesIO(photo), formats=["PNG"]) as opened:
            texts += [str(opened.info.get("Description", ""))]
            if is_moderate_exif(opened.info.get("exif")):
                texts += [str(opened.getexif().get(exif.IMAGE_DESCRIPTION, ""))]
            packet = opened.info.get("xmp")
            texts += _texts_of_xmp(packet if isinstance(packet, bytes) else None)
    text = exif.find(found.exif, exif.IMAGE_DESCRIPTION) or b""
    records = found.iptc or iptc.records_of(found.photoshop)
    texts += [*_texts_of_xmp(found.xmp), text.decode("utf-8", "replace")]
    return [*texts, iptc.caption_of(records) or ""]


def _metadata_of(photo: bytes) -> Metadata:
    if container := container_of(photo):
        return container.read(photo)
    if not needs_isolation(photo):
        return Metadata()
    blocks = metadata_isolated(photo, "The photo").blocks
    return Metadata(xmp=blocks.get("xmp"), exif=blocks.get("exif", b"").removeprefix(b"Exif\0\0"))


def _texts_of_xmp(packet: bytes | None) -> list[str]:
    properties = xmp.read_properties(packet)
    return [properties.get(name, "") for name in (DESCRIPTION, ALT_TEXT)]
