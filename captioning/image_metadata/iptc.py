"""The caption in IPTC-IIM records, the older format of a photo's texts.

Programs that read these first would still show an old caption, so an existing one is replaced, as
the Metadata Working Group recommends; none is added.

Reference:
    IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop file format, image resources.
"""

import hashlib
from collections.abc import Iterator

PHOTOSHOP = b"Photoshop 3.0\0"
"""The beginning of the JPEG segment with image resources."""

_RECORDS, _DIGEST = 0x0404, 0x0425
_CAPTION, _WRITER, _CHARACTERS = (2, 120), (2, 122), (1, 90)
_UTF8 = b"\x1b%G"
_MAX_CAPTION, _MAX_WRITER = 2000, 32
_MAX_RECORDS = 100_000
_LONGEST_START = 300  # of a resource, before its content


def with_caption(records: bytes | None, caption: str, writer: str | None) -> bytes | None:
    """Return records with their caption and writer replaced.

    A text that the records' character set cannot encode is removed.

    Returns:
        The records; None if there is no caption in them, or they are damaged.
    """
    try:
        found = list(_records(records or b""))
    except ValueError:
        return None
    if all(kind != _CAPTION for kind, _, _ in found):
        return None
    is_utf8 = any(kind == _CHARACTERS and value == _UTF8 for kind, value, _ in found)
    new = {
        _CAPTION: _encoded(caption, _MAX_CAPTION, is_utf8),
        _WRITER: _encoded(writer or "", _MAX_WRITER, is_utf8),
    }
    parts = []
    for kind, _, raw in found:
        if kind not in new:
            parts.append(raw)
        elif value := new.pop(kind) if kind in new else b"":
            parts.append(bytes([0x1C, *kind]) + len(value).to_bytes(2, "big") + value)
        if kind in (_CAPTION, _WRITER):
            new[kind] = b""  # a second one is removed
    return b"".join(parts)


def in_photoshop(resources: bytes | None, caption: str, writer: str | None) -> bytes | None:
    """Return Photoshop's image resources with their caption replaced.

    Args:
        resources: what follows `PHOTOSHOP` in its segment.
        caption: the sentence.
        writer: its author, if known.

    Returns:
        The resources; None if there is no caption in them, or they are damaged.
    """
    try:
        found = list(_resources(resources or b""))
    except ValueError:
        return None
    replaced = {
        place: new
        for place, (kind, data, _) in enumerate(found)
        if kind == _RECORDS and (new := with_caption(data, caption, writer)) is not None
    }
    if not replaced:
        return None
    digest = hashlib.md5(next(iter(replaced.values())), usedforsecurity=False).digest()
    parts = []
    for place, (kind, _, raw) in enumerate(found):
        if place in replaced:
            raw = _resource(raw, replaced[place])
        elif kind == _DIGEST:  # shows programs whether these records or XMP are newer
            raw = _resource(raw, digest)
        parts.append(raw)
    return b"".join(parts)


def caption_of(records: bytes | None) -> str | None:
    """Return the caption in records; None if there is none, or they are damaged."""
    try:
        found = {kind: value for kind, value, _ in _records(records or b"")}
    except ValueError:
        return None
    if _CAPTION not in found:
        return None
    coding = "utf-8" if found.get(_CHARACTERS) == _UTF8 else "cp1252"
    return found[_CAPTION].decode(coding, "replace")


def records_of(resources: bytes | None) -> bytes | None:
    """Return the records in Photoshop's image resources; None if there are none."""
    try:
        found = {kind: data for kind, data, _ in _resources(resources or b"")}
    except ValueError:
        return None
    return found.get(_RECORDS)


def _encoded(text: str, most: int, is_utf8: bool) -> bytes:
    """Encode a text, cut to `most` bytes; empty if it cannot be encoded."""
    try:
        value = text.encode("utf-8" if is_utf8 else "cp1252")
    except UnicodeEncodeError:
        return b""
    return value[:most].decode("utf-8", "ignore").encode() if is_utf8 else value[:most]


def _records(data: bytes) -> Iterator[tuple[tuple[int, int], bytes, bytes]]:
    """Yield record and data set numbers, value, and the whole data set."""
    place, number = 0, 0
    while place < len(data) and data[place] == 0x1C:
        number += 1
        if number > _MAX_RECORDS:
            raise ValueError("there are too many data sets")
        length = int.from_bytes(data[place + 3 : place + 5], "big")
        start = place + 5
        if length & 0x8000:  # an extended data set: the length of its length
            start += length & 0x7FFF
            length = int.from_bytes(data[place + 5 : start], "big")
        end = start + length
        if end > len(data):
            raise ValueError("a data set is longer than the records")
        yield (data[place + 1], data[place + 2]), data[start:end], data[place:end]
        place = end
    if data[place:].strip(b"\0"):
        raise ValueError("there is other data between the data sets")


def _resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, content, and the whole resource."""
    place = 0
    while data[place : place + 4] == b"8BIM":
        start = _content(data[place : place + _LONGEST_START]) + place
        end = start + int.from_bytes(data[start - 4 : start], "big")
        if end > len(data):
            raise ValueError("a resource is longer than the segment")
        raw = data[place : end + (end - start) % 2]
        yield int.from_bytes(data[place + 4 : place + 6], "big"), data[start:end], raw
        place += len(raw)
    if data[place:].strip(b"\0"):
        raise ValueError("there is other data between the resources")


def _content(resource: bytes) -> int:
    """Return the offset of a resource's content, after its number, padded name and length."""
    if len(resource) < 7:
        raise ValueError("a resource is cut short")
    name = 1 + resource[6]
    return 6 + name + name % 2 + 4


def _resource(old: bytes, content: bytes) -> bytes:
    """Replace the content of a resource."""
    start = _content(old)
    return old[: start - 4] + len(content).to_bytes(4, "big") + content + b"\0" * (len(content) % 2)
