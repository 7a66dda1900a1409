"""Captioning many photos: where they come from, a row for each, and the files rows are kept in."""

from captioning.albums.album import Album, AlbumPhoto, from_bytes, open_album, told_apart
from captioning.albums.batch import PERSON, Row, caption_album
from captioning.albums.exports import to_coco, to_csv, to_jsonl, to_texts
from captioning.albums.journal import Journal

__all__ = [
    "PERSON",
    "Album",
    "AlbumPhoto",
    "Journal",
    "Row",
    "caption_album",
    "from_bytes",
    "open_album",
    "to_coco",
    "to_csv",
    "to_jsonl",
    "to_texts",
    "told_apart",
]
