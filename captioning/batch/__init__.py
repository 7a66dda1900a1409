"""Captioning many photos: where they come from, a row for each, and the files rows are kept in."""

from captioning.batch.captioning import PERSON, Row, caption_album
from captioning.batch.corrections import Change, Corrections
from captioning.batch.exports import Journal, to_coco, to_csv, to_jsonl, to_texts
from captioning.batch.sources import (
    Album,
    AlbumPhoto,
    from_bytes,
    open_album,
    photo_names,
    printable,
    told_apart,
)

__all__ = [
    "PERSON",
    "Album",
    "AlbumPhoto",
    "Change",
    "Corrections",
    "Journal",
    "Row",
    "caption_album",
    "from_bytes",
    "open_album",
    "photo_names",
    "printable",
    "to_coco",
    "to_csv",
    "to_jsonl",
    "to_texts",
    "told_apart",
]
