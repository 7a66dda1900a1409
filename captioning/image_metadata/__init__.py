"""Captions that travel with their photos: as alternative text, and in XMP, EXIF and IPTC."""

from captioning.image_metadata.captions import (
    MACHINE_MADE,
    CaptionedPhoto,
    StoredCaption,
    alt_html,
    alt_text,
    has_words_of_a_person,
    read_caption,
    write_caption,
    write_sidecar,
)

__all__ = [
    "MACHINE_MADE",
    "CaptionedPhoto",
    "StoredCaption",
    "alt_html",
    "alt_text",
    "has_words_of_a_person",
    "read_caption",
    "write_caption",
    "write_sidecar",
]
