"""Taking a caption along: as alternative text for a web page, and inside a copy of the photo.

A photo file keeps its caption in two places that programs read: XMP (`dc:description`, and the
IPTC standard's text for people who cannot see the photo) and EXIF (`ImageDescription`).  In a JPEG
or PNG the copy differs from the photo in these alone: its picture data are the same bytes, and
whatever else the metadata say stays.  That takes inserting one segment or chunk, which is why it is
written out here: the libraries for it either compile native code or are no longer kept up, and
Pillow would encode the picture anew.

What a machine wrote says so first, and names the model as the description's writer.
"""

import html
import io
from dataclasses import dataclass

from PIL import Image

from captioning.errors import ImageError
from captioning.images import read_image
from captioning.photofiles import exif, jpeg, png, xmp

__all__ = ["MACHINE_MADE", "StoredCaption", "alt_html", "alt_text", "read_caption", "write_caption"]

MACHINE_MADE = "Machine-made caption: "
"""What a caption begins with that no person has checked."""


@dataclass(frozen=True)
class StoredCaption:
    """A caption found in a photo file.

    Attributes:
        text: the sentence, without the words that mark it as machine-made.
        machine_made: whether it is marked so.
        writer: who or what wrote it, if the file says.
    """

    text: str
    machine_made: bool
    writer: str | None


def alt_text(caption: str, *, machine_made: bool = True) -> str:
    """Return a caption as text to be read out; what a machine wrote says so first.

    >>> alt_text("a dog runs")
    'Machine-made caption: a dog runs'
    """
    return (MACHINE_MADE if machine_made else "") + caption


def alt_html(caption: str, file_name: str, *, machine_made: bool = True) -> str:
    """Return an HTML image with the caption as its alternative text.

    >>> alt_html("a dog", 'my "best".jpg', machine_made=False)
    '<img src="my &quot;best&quot;.jpg" alt="a dog">'
    """
    text = alt_text(caption, machine_made=machine_made)
    return f'<img src="{html.escape(file_name)}" alt="{html.escape(text)}">'


def write_caption(photo: bytes, caption: str, *, writer: str | None = None) -> tuple[bytes, str]:
    """Put a caption into a copy of a photo.

    Args:
        photo: the file; not changed.
        caption: the sentence.
        writer: the model that wrote it, or None if a person wrote or corrected it.

    Returns:
        The copy and its ending, "jpg" or "png".  A JPEG or PNG keeps its picture data; another
        format becomes a PNG of the same pixels.

    Raises:
        ImageError: the photo cannot be read.
    """
    read_image(photo)  # a file that is no photo is refused before it is taken apart
    text = alt_text(caption, machine_made=writer is not None)
    if photo.startswith(jpeg.SIGNATURE):
        return _into_jpeg(photo, text, writer), "jpg"
    if not photo.startswith(png.SIGNATURE):
        buffer = io.BytesIO()
        read_image(photo).save(buffer, "PNG")
        photo = buffer.getvalue()
    packet = xmp.with_description(png.find_xmp(photo), text, writer)
    return png.with_text(photo, packet, text), "png"


def read_caption(photo: bytes) -> StoredCaption | None:
    """Return the caption that a JPEG or PNG file carries, or None if it carries none.

    Raises:
        ImageError: the file is neither, or is damaged.
    """
    if photo.startswith(jpeg.SIGNATURE):
        packet = jpeg.find(photo, jpeg.XMP)
    elif photo.startswith(png.SIGNATURE):
        packet = png.find_xmp(photo)
    else:
        raise ImageError("Captions are read from JPEG and PNG files; this is another kind of file.")
    text, writer = xmp.read_description(packet)
    if text is None and photo.startswith(jpeg.SIGNATURE):
        text = _exif_description(photo)
    if text is None:
        return None
    machine_made = text.startswith(MACHINE_MADE)
    return StoredCaption(text.removeprefix(MACHINE_MADE), machine_made, writer)


def _into_jpeg(photo: bytes, text: str, writer: str | None) -> bytes:
    packet = xmp.with_description(jpeg.find(photo, jpeg.XMP), text, writer)
    photo = jpeg.replace(photo, jpeg.XMP, packet)
    description = exif.with_description(jpeg.find(photo, jpeg.EXIF), text)
    # A block too long for its segment stays as it was; XMP holds the caption anyway.
    if description is not None and len(description) <= jpeg.LONGEST:
        photo = jpeg.replace(photo, jpeg.EXIF, description)
    return photo


def _exif_description(photo: bytes) -> str | None:
    with Image.open(io.BytesIO(photo), formats=("JPEG",)) as opened:
        found = opened.getexif().get(exif.IMAGE_DESCRIPTION)
    return found if isinstance(found, str) and found else None
