"""Export of a caption: as alternative text for a web page, in a copy of the photo, or next to it.

A photo file stores its caption in several places, and programs differ in which they read first: XMP
(`dc:description`, and the IPTC standard's alternative text), EXIF (`ImageDescription`), and IPTC
records.  All of them get the same text.  Nothing else in the file changes.  This is own code, since
libraries for it compile native code or are not maintained, and Pillow would encode the picture
again.

A sidecar next to the photo holds the same XMP packet that the file would carry.  Immich, digiKam
and darktable read `photo.jpg.xmp`; Lightroom writes `photo.xmp`.

A machine-made caption is marked as such, with the model and its confidence; a caption with low
confidence begins with "Not sure:".
"""

import contextlib
import html
import io
import re
import urllib.parse
from dataclasses import dataclass, replace

from PIL import Image

from captioning.errors import ImageError
from captioning.image_formats import PNG_SIGNATURE, needs_isolation
from captioning.image_metadata import exif, iptc, xmp
from captioning.image_metadata.containers import CONTAINERS, Container, Metadata, container_of
from captioning.image_modes import is_moderate_exif
from captioning.images import read_image
from captioning.isolated_photos import metadata_isolated

MACHINE_MADE = "Machine-made caption: "
"""The beginning of a caption that no person has checked; facts may precede the colon."""

_DOUBT = "Not sure: "
_MARK = re.compile(r"(?:Not sure: )?Machine-made caption(?: \([^()]*\))?: ")
DESCRIPTION, ALT_TEXT = "dc:description", "Iptc4xmpCore:AltTextAccessibility"
_WRITER = "photoshop:CaptionWriter"
_ORIENTATION = 0x0112
_VERSION, _CONFIDENCE = "captioning:ModelVersion", "captioning:Confidence"


@dataclass(frozen=True)
class StoredCaption:
    """A caption found in a photo file.

    Attributes:
        text: the sentence, without the words that mark it as machine-made.
        machine_made: whether it is marked so.
        writer: who or what wrote it, if the file says.
        confidence: how sure the model was, 0 to 1, if the file says.
    """

    text: str
    machine_made: bool
    writer: str | None
    confidence: float | None = None


@dataclass(frozen=True)
class CaptionedPhoto:
    """A copy of a photo with a caption in it.

    Attributes:
        data: the file.
        ending: of its name, without the dot.
        notes: a sentence for each thing that is other than one would expect.
    """

    data: bytes
    ending: str
    notes: tuple[str, ...] = ()


def alt_text(
    caption: str,
    *,
    machine_made: bool = True,
    confidence: float | None = None,
    doubtful: bool = False,
) -> str:
    """Return a caption as alternative text; a machine-made one begins with a mark.

    Args:
        caption: the sentence.
        machine_made: whether no person has checked it.
        confidence: how sure the model is that it is right, 0 to 1.
        doubtful: whether the model's level of confidence is "not sure".

    >>> alt_text("A dog runs.")
    'Machine-made caption: A dog runs.'
    >>> alt_text("A dog runs.", confidence=0.184, doubtful=True)
    'Not sure: Machine-made caption (18 % sure): A dog runs.'
    """
    return (_mark(None, confidence, doubtful) if machine_made else "") + caption


def alt_html(
    caption: str,
    file_name: str,
    *,
    machine_made: bool = True,
    confidence: float | None = None,
    doubtful: bool = False,
) -> str:
    """Return an HTML image with the caption as its alternative text.

    >>> alt_html("a dog", "IMG #1.jpg", machine_made=False)
    '<img src="IMG%20%231.jpg" alt="a dog">'
    """
    text = alt_text(caption, machine_made=machine_made, confidence=confidence, doubtful=doubtful)
    source = urllib.parse.quote(file_name, errors="surrogateescape")
    return f'<img src="{html.escape(source)}" alt="{html.escape(text)}">'


def write_caption(
    photo: bytes,
    caption: str,
    *,
    writer: str | None = None,
    version: str = "",
    confidence: float | None = None,
    doubtful: bool = False,
) -> CaptionedPhoto:
    """Write a caption into a copy of a photo.

    Args:
        photo: the file; not changed.
        caption: the sentence.
        writer: the model that wrote it, or None if a person wrote or corrected it.
        version: the model's.
        confidence: how sure the model is that the caption is right, 0 to 1.
        doubtful: whether the model's level of confidence is "not sure".

    Returns:
        The copy.  A JPEG, PNG, WebP, GIF or TIFF keeps its picture data, byte by byte; another
        format becomes a PNG of the same picture, and a note says what that loses.

    Raises:
        ImageError: the photo cannot be read, or its metadata leave no room.
    """
    picture = read_image(photo)  # refuses a file that is not a photo
    caption = xmp.printable(caption)  # so that all places have the same text
    notes: list[str] = []
    container = container_of(photo)
    if container is None:
        photo, note = _as_png(photo, picture)
        container = next(kind for kind in CONTAINERS if kind.ending == "png")
        notes += [note] if note else []
    properties = caption_properties(
        caption, writer=writer, version=version, confidence=confidence, doubtful=doubtful
    )
    text = properties[DESCRIPTION] or ""
    old = container.read(photo)
    new = Metadata(
        xmp=xmp.with_properties(old.xmp, properties),
        exif=exif.with_entries(old.exif, {exif.IMAGE_DESCRIPTION: text.encode()}),
        photoshop=iptc.in_photoshop(old.photoshop, text, writer),
        iptc=iptc.with_caption(old.iptc, text, writer),
        description=text,
    )
    if new.xmp is None:
        notes.append("The photo's XMP could not be understood and was left as it was.")
    if new.exif is None:
        notes.append("The photo's EXIF could not be understood and was left as it was.")
    in_exif = new.exif is not None and container.ending != "gif"
    if new.xmp is None and not in_exif and container.ending != "png":
        raise ImageError("The photo's metadata are damaged, so no caption is written into it.")
    return CaptionedPhoto(_written(container, photo, new, notes), container.ending, tuple(notes))


def caption_properties(
    caption: str,
    *,
    writer: str | None = None,
    version: str = "",
    confidence: float | None = None,
    doubtful: bool = False,
) -> dict[str, str | None]:
    """Return the XMP properties of a caption by name; None removes a property.

    Args:
        caption: the sentence.
        writer: as in `write_caption`, like the arguments below.
        version: the model's.
        confidence: 0 to 1.
        doubtful: whether the caption needs a warning.
    """
    caption = xmp.printable(caption)
    model = f"{writer} {version}".strip() if writer is not None else None
    return {
        DESCRIPTION: caption if model is None else _mark(model, confidence, doubtful) + caption,
        ALT_TEXT: alt_text(
            caption, machine_made=writer is not None, confidence=confidence, doubtful=doubtful
        ),
        _WRITER: writer,
        _VERSION: version or None,
        _CONFIDENCE: None if confidence is None else f"{confidence:.3f}",
    }


def read_caption(photo: bytes) -> StoredCaption | None:
    """Return the caption of a file from XMP or EXIF, or None if it has none.

    Raises:
        ImageError: the file is no JPEG, PNG, WebP, GIF or TIFF, or is damaged.
    """
    container = container_of(photo)
    if container is None:
        raise ImageError(
            "Captions are read from JPEG, PNG, WebP, GIF and TIFF files; this is another kind."
        )
    found = container.read(photo)
    properties = xmp.read_properties(found.xmp)
    text = properties.get(DESCRIPTION)
    if text is None:
        block = exif.find(found.exif, exif.IMAGE_DESCRIPTION)
        text = None if not block else block.decode("utf-8", "replace")
    if text is None:
        return None
    mark = _MARK.match(text)
    return StoredCaption(
        text=text[mark.end() :] if mark else text,
        machine_made=mark is not None,
        writer=properties.get(_WRITER) or None,
        confidence=_number(properties.get(_CONFIDENCE)),
    )


def _mark(model: str | None, confidence: float | None, doubtful: bool) -> str:
    """Return the mark of a machine-made caption."""
    facts = [model] if model else []
    facts += [] if confidence is None else [f"{confidence:.0%}".replace("%", " % sure")]
    mark = f"Machine-made caption ({', '.join(facts)}): " if facts else MACHINE_MADE
    return _DOUBT + mark if doubtful else mark


def _written(container: Container, photo: bytes, new: Metadata, notes: list[str]) -> bytes:
    """Write metadata; texts that are too long for one place are left out there."""
    try:
        return container.write(photo, new)
    except ImageError:
        if new.exif is None or new.xmp is None:
            raise
        notes.append("The photo's EXIF has no room for the caption; XMP holds it.")
        return container.write(photo, replace(new, exif=None))


def _as_png(photo: bytes, picture: Image.Image) -> tuple[bytes, str]:
    """Return a photo of another format as PNG, and a sentence about what is lost."""
    buffer = io.BytesIO()
    if not needs_isolation(photo):
        with Image.open(io.BytesIO(photo), formats=["BMP"]) as opened:
            opened.save(buffer, "PNG")
        return buffer.getvalue(), ""
    found = metadata_isolated(photo, "The photo")
    block = _upright_exif(found.blocks.get("exif"))
    picture.save(buffer, "PNG", exif=block, icc_profile=found.blocks.get("icc_profile"))
    lost = "the first picture alone, " if found.frames > 1 else ""
    return buffer.getvalue(), (
        f"The copy is a PNG, {lost}with 8 bits a colour, because captions are not written into "
        f"{found.format} files. It keeps EXIF and colour profile, but no other metadata."
    )


def _upright_exif(block: bytes | None) -> bytes:
    """Return EXIF without the orientation, for a picture that is upright; none if damaged."""
    entries = Image.Exif()
    try:
        if block and is_moderate_exif(block):
            entries.load(block)
            entries.pop(_ORIENTATION, None)
        return entries.tobytes()
    except Exception:  # damaged EXIF may raise anything
        return b""


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


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
        text and text not in _BY_CAMERAS and not _MARK.match(text)
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
