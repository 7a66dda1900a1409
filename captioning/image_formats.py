"""The supported image formats, their file extensions, and names for other kinds of files."""

import functools

__all__ = [
    "ENDINGS",
    "FORMATS",
    "PNG_SIGNATURE",
    "formats_of",
    "has_photo_ending",
    "is_heif",
    "other_kind",
]

_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}

FORMATS = tuple(_ENDINGS)
"""The supported formats, by Pillow's names.

Pillow reads MPO, the two-picture JPEG of some phones and 3-D cameras, with its JPEG reader.
"""

ENDINGS = tuple(ending for endings in _ENDINGS.values() for ending in endings)
"""File extensions of photos, in lower case with the dot."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_OTHERS = (
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n\x87\n", "JPEG XL"),
    (4, b"jP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"\0\0\1\0", "ICO"),
    (128, b"DICM", "DICOM"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
    (0, b"PK\3\4", "zip"),
)


_HEIF_BRANDS = frozenset(
    b"avif avis heic heix heim heis hevc hevx mif1 msf1".split()  # AVIF is HEIF too
)


def has_photo_ending(name: str) -> bool:
    """Return whether a file name has the extension of a photo.

    >>> has_photo_ending("IMG_1.HEIC"), has_photo_ending("notes.txt")
    (True, False)
    """
    return name.lower().endswith(ENDINGS)


def is_heif(data: bytes) -> bool:
    """Return whether a file starts like a HEIC or AVIF photo."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


def other_kind(data: bytes) -> str | None:
    """Name the kind of a file in an unsupported format, by its first bytes."""
    if is_heif(data):
        return None
    return next((kind for at, start, kind in _OTHERS if data[at:].startswith(start)), None)


def formats_of(data: bytes) -> tuple[str, ...]:
    """Return which of `FORMATS` a file may have, as an argument for Pillow."""
    if is_heif(data):
        _register_heif()
        return ("AVIF", "HEIF")
    return tuple(name for name in FORMATS if name != "HEIF")


@functools.cache
def _register_heif() -> None:
    """Register the HEIC reader (iPhone photos) with Pillow, when the first one is opened."""
    import pillow_heif

    pillow_heif.register_heif_opener()
