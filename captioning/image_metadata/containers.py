"""Reading and replacing the metadata of JPEG, PNG, WebP, GIF and TIFF files.

A file is a row of segments, chunks or blocks.  Those that hold metadata are replaced or added, and
all others, the picture among them, are copied byte by byte.

Reference:
    ITU-T T.81 annex B; W3C Portable Network Graphics, sections 5 and 11; Google, WebP Container
    Specification; CompuServe, GIF 89a; XMP part 3 (ISO 16684-3) for where each keeps XMP.
"""

import functools
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from captioning.errors import ImageError
from captioning.image_metadata import exif
from captioning.image_metadata.iptc import PHOTOSHOP


@dataclass
class Metadata:
    """The metadata of a file; None for a kind that it does not have.

    Attributes:
        xmp: the packet.
        exif: from the TIFF header on.
        photoshop: image resources, in which JPEG keeps IPTC records.
        iptc: IPTC records by themselves, as TIFF keeps them.
        description: the description field of PNG and TIFF; only written.
    """

    xmp: bytes | None = None
    exif: bytes | None = None
    photoshop: bytes | None = None
    iptc: bytes | None = None
    description: str | None = None


@dataclass(frozen=True)
class Container:
    """A file format.

    Attributes:
        ending: of its files' names, without the dot.
        begins: what its files begin with.
        read: takes the metadata out of a file; raises ImageError if it is damaged.
        write: writes metadata into a copy of a file; None leaves a kind unchanged.
    """

    ending: str
    begins: tuple[bytes, ...]
    read: Callable[[bytes], Metadata]
    write: Callable[[bytes, Metadata], bytes]


def container_of(photo: bytes) -> Container | None:
    """Return the format of a file; None for formats whose metadata are not supported."""
    if photo[:4] == b"RIFF" and photo[8:12] != b"WEBP":
        return None
    return next((kind for kind in CONTAINERS if photo.startswith(kind.begins)), None)


T = TypeVar("T")

_MAX_PIECES, _MAX_BLOCKS = 100_000, 1_000_000


def _bounded(pieces: Callable[[bytes], Iterator[T]]) -> Callable[[bytes], Iterator[T]]:
    """Let the function that yields a file's pieces refuse a file with more than any photo has."""

    @functools.wraps(pieces)
    def some(photo: bytes) -> Iterator[T]:
        for number, piece in enumerate(pieces(photo), start=1):
            if number > _MAX_PIECES:
                raise ImageError(f"The photo consists of more than {_MAX_PIECES:,} pieces.")
            yield piece

    return some


# JPEG: segments of a marker, a length and what they hold

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST = 65_533
_NOT_FILLING = re.compile(rb"[^\xff]")
_APP0, _APP1, _APP13, _START_OF_SCAN = 0xE0, 0xE1, 0xED, 0xDA
_JPEG_NAMES = {"exif": (_APP1, _EXIF), "xmp": (_APP1, _XMP), "photoshop": (_APP13, PHOTOSHOP)}


def _read_jpeg(photo: bytes) -> Metadata:
    found = Metadata()
    for marker, start, end in _segments(photo):
        for name, (kind, begin) in _JPEG_NAMES.items():
            body = photo[start + 4 : end]
            if marker == kind and body.startswith(begin) and getattr(found, name) is None:
                setattr(found, name, body[len(begin) :])
    return found


def _write_jpeg(photo: bytes, metadata: Metadata) -> bytes:
    for name, (marker, begin) in _JPEG_NAMES.items():
        content = getattr(metadata, name)
        if content is not None:
            photo = _with_segment(photo, marker, begin, content)
    return photo


def _with_segment(photo: bytes, marker: int, begin: bytes, content: bytes) -> bytes:
    """Replace the first segment of a kind; a new one follows those of JFIF and EXIF."""
    if len(begin) + len(content) > _LONGEST:
        raise ImageError("The photo's metadata leave no room for a caption.")
    body = begin + content
    segment = bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
    first = 2
    for kind, start, end in _segments(photo):
        if kind == marker and photo[start + 4 : end].startswith(begin):
            return photo[:start] + segment + photo[end:]
        if kind == _APP0 or (kind == _APP1 and photo[start + 4 : end].startswith(_EXIF)):
            first = end
    return photo[:first] + segment + photo[first:]


@_bounded
def _segments(photo: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the picture data."""
    place = 2
    while place + 4 <= len(photo):
        if photo[place] != 0xFF:
            raise ImageError("The photo is damaged: its JPEG segments do not follow one another.")
        marker = photo[place + 1]
        if marker == 0xFF:
            filled = _NOT_FILLING.search(photo, place)
            place = filled.start() - 1 if filled else len(photo)
            continue
        if marker == _START_OF_SCAN:
            return
        end = place + 2 + int.from_bytes(photo[place + 2 : place + 4], "big")
        yield marker, place, end
        place = end


# PNG: chunks of a length, a type, what they hold, and a checksum

_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD, _DESCRIPTION = b"XML:com.adobe.xmp", b"Description"
_MAX_TEXT = 10_000_000
_MAX_PACKETS = 10


def _read_png(photo: bytes) -> Metadata:
    found, packets = Metadata(), 0
    for kind, start, end in _chunks(photo):
        data = photo[start + 8 : end - 4]
        if kind == b"eXIf":
            found.exif = data
        elif kind == b"iTXt" and data.startswith(_KEYWORD + b"\0"):
            packets += 1
            if packets > _MAX_PACKETS:
                raise ImageError(f"The photo has more than {_MAX_PACKETS} XMP packets.")
            found.xmp = _itxt(data)
    return found


def _write_png(photo: bytes, metadata: Metadata) -> bytes:
    new = {}
    if metadata.xmp is not None:
        new[_KEYWORD] = _png_text(_KEYWORD, metadata.xmp)
    if metadata.description is not None:
        new[_DESCRIPTION] = _png_text(_DESCRIPTION, metadata.description.encode())
    if metadata.exif is not None:
        new[b"eXIf"] = _png_chunk(b"eXIf" + metadata.exif)
    parts = [_PNG]
    for kind, start, end in _chunks(photo):
        if _png_name(kind, photo[start + 8 : end - 4]) not in new:
            parts.append(photo[start:end])
        if kind == b"IHDR":
            parts += new.values()
    return b"".join(parts)


def _png_name(kind: bytes, data: bytes) -> bytes:
    """Return the keyword of a text without a language, and otherwise the type of the chunk."""
    if kind == b"iTXt":
        language = data.partition(b"\0")[2][2:].partition(b"\0")[0]
        return kind if language not in (b"", b"x-default") else data.partition(b"\0")[0]
    return data.partition(b"\0")[0] if kind in (b"tEXt", b"zTXt") else kind


def _png_text(keyword: bytes, text: bytes) -> bytes:
    return _png_chunk(b"iTXt" + keyword + b"\0" + b"\0\0" + b"\0" + b"\0" + text)  # uncompressed


def _png_chunk(body: bytes) -> bytes:
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def _itxt(data: bytes) -> bytes:
    """Return the text of an iTXt chunk; it is empty if it cannot be unpacked."""
    _, _, rest = data.partition(b"\0")
    compressed = rest[:1] == b"\1"
    _, _, text = rest[2:].partition(b"\0")[2].partition(b"\0")
    if compressed:
        try:
            text = zlib.decompressobj().decompress(text, _MAX_TEXT)
        except zlib.error:
            text = b""
    return text


@_bounded
def _chunks(photo: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each chunk."""
    place = len(_PNG)
    while place + 12 <= len(photo):
        end = place + 12 + int.from_bytes(photo[place : place + 4], "big")
        if end > len(photo):
            raise ImageError("The photo is damaged: a PNG chunk is longer than the file.")
        yield photo[place + 4 : place + 8], place, end
        place = end


# WebP: chunks of a type, a length and what they hold, within one RIFF chunk

_HAS_EXIF, _HAS_XMP, _HAS_ALPHA = 0x08, 0x04, 0x10
_WEBP_NAMES = {"exif": (b"EXIF", _HAS_EXIF), "xmp": (b"XMP ", _HAS_XMP)}


def _read_webp(photo: bytes) -> Metadata:
    found = dict(_riff(photo))
    block = found.get(b"EXIF")
    return Metadata(
        xmp=found.get(b"XMP "), exif=None if block is None else block.removeprefix(_EXIF)
    )


def _write_webp(photo: bytes, metadata: Metadata) -> bytes:
    chunks = list(_riff(photo))
    if not chunks:
        raise ImageError("The photo is damaged: it is a WebP file without chunks.")
    if chunks[0][0] != b"VP8X":
        chunks.insert(0, (b"VP8X", _extended(*chunks[0])))
    header = bytearray(chunks[0][1])
    for name, (kind, flag) in _WEBP_NAMES.items():
        content = getattr(metadata, name)
        if content is not None:
            header[0] |= flag
            chunks = [chunk for chunk in chunks if chunk[0] != kind] + [(kind, content)]
    chunks[0] = (b"VP8X", bytes(header))
    body = b"WEBP" + b"".join(
        kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _extended(kind: bytes, data: bytes) -> bytes:
    """Return the extended header that a simple WebP file lacks: flags, width and height."""
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    else:
        width = (int.from_bytes(data[6:8], "little") & 0x3FFF) - 1
        height = (int.from_bytes(data[8:10], "little") & 0x3FFF) - 1
        alpha = 0
    if width < 0 or height < 0:
        raise ImageError("The photo is damaged: it has no size.")
    sizes = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return bytes([_HAS_ALPHA * alpha, 0, 0, 0]) + sizes


@_bounded
def _riff(photo: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of each chunk."""
    place = 12
    while place + 8 <= len(photo):
        length = int.from_bytes(photo[place + 4 : place + 8], "little")
        yield photo[place : place + 4], photo[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


# GIF: a header, then images and extensions, each a row of blocks of at most 255 bytes

_GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
_MAGIC = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
"""Follows a packet, so that programs that read it as a sequence of blocks find its end."""


def _read_gif(photo: bytes) -> Metadata:
    for start, end in _blocks(photo):
        if photo.startswith(_GIF_XMP, start):
            return Metadata(xmp=photo[start + len(_GIF_XMP) : end].removesuffix(_MAGIC))
    return Metadata()


def _write_gif(photo: bytes, metadata: Metadata) -> bytes:
    if metadata.xmp is None:
        return photo
    parts, done = [b"GIF89a", photo[6 : _after_colours(photo)]], _after_colours(photo)
    parts.append(_GIF_XMP + metadata.xmp + _MAGIC)
    for start, end in _blocks(photo):
        if photo.startswith(_GIF_XMP, start):
            parts.append(photo[done:start])
            done = end
    return b"".join([*parts, photo[done:]])


def _after_colours(photo: bytes) -> int:
    flags = photo[10] if len(photo) > 10 else 0
    return 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)


@_bounded
def _blocks(photo: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each image and extension."""
    place, blocks = _after_colours(photo), 0
    while place + 1 < len(photo) and photo[place] in (0x21, 0x2C):
        start = place
        if photo[place] == 0x21:
            place += 2
        else:
            flags = photo[place + 9] if place + 9 < len(photo) else 0
            place += 11 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
        while place < len(photo) and photo[place] and blocks <= _MAX_BLOCKS:
            place += 1 + photo[place]
            blocks += 1
        if blocks > _MAX_BLOCKS:
            raise ImageError(f"The photo consists of more than {_MAX_BLOCKS:,} blocks.")
        place += 1
        if place > len(photo):
            raise ImageError("The photo is damaged: a GIF block is longer than the file.")
        yield start, place


# TIFF: its first directory is what EXIF is in other files


def _read_tiff(photo: bytes) -> Metadata:
    return Metadata(xmp=exif.find(photo, exif.XMP), exif=photo, iptc=exif.find(photo, exif.IPTC))


def _write_tiff(photo: bytes, metadata: Metadata) -> bytes:
    text = None if metadata.description is None else metadata.description.encode()
    values = {exif.IMAGE_DESCRIPTION: text, exif.XMP: metadata.xmp, exif.IPTC: metadata.iptc}
    given = {tag: value for tag, value in values.items() if value is not None}
    written = exif.with_entries(photo, given)
    if written is None:
        raise ImageError("The TIFF file's directory is damaged, so no caption is written into it.")
    return written


CONTAINERS = (
    Container("jpg", (b"\xff\xd8\xff",), _read_jpeg, _write_jpeg),
    Container("png", (_PNG,), _read_png, _write_png),
    Container("webp", (b"RIFF",), _read_webp, _write_webp),
    Container("gif", (b"GIF87a", b"GIF89a"), _read_gif, _write_gif),
    Container("tif", (b"II*\0", b"MM\0*"), _read_tiff, _write_tiff),
)
