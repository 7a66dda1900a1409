"""Captions that travel with their photos: as alternative text, and in XMP, EXIF and IPTC."""

from captioning.image_metadata.captions import (
    MACHINE_MADE,
    CaptionedPhoto,
    StoredCaption,
    alt_html,
    alt_text,
    read_caption,
    write_caption,
)

__all__ = [
    "MACHINE_MADE",
    "CaptionedPhoto",
    "StoredCaption",
    "alt_html",
    "alt_text",
    "read_caption",
    "write_caption",
]
