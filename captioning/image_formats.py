"""Which picture formats are read, what their file names end in, and what other files seem to be."""

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
"""The formats a photo may have, as Pillow calls them.

Pillow reads MPO, the two-picture JPEG of some phones and 3-D cameras, through its JPEG entry.
"""

ENDINGS = tuple(ending for endings in _ENDINGS.values() for ending in endings)
"""What names of photos end in, in lower case and with the dot: for uploaders, folders and zips."""

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
    """Tell whether a file's name ends as a photo's does.

    >>> has_photo_ending("IMG_1.HEIC"), has_photo_ending("notes.txt")
    (True, False)
    """
    return name.lower().endswith(ENDINGS)


def is_heif(data: bytes) -> bool:
    """Tell whether a file begins as HEIC and AVIF photos do."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


def other_kind(data: bytes) -> str | None:
    """Name the kind of a file that is none of `FORMATS`, by its first bytes."""
    if is_heif(data):
        return None
    return next((kind for at, start, kind in _OTHERS if data[at:].startswith(start)), None)


def formats_of(data: bytes) -> tuple[str, ...]:
    """Return which of `FORMATS` a file may be, ready for Pillow."""
    if is_heif(data):
        _register_heif()
        return ("AVIF", "HEIF")
    return tuple(name for name in FORMATS if name != "HEIF")


@functools.cache
def _register_heif() -> None:
    """Let Pillow read HEIC, the photos of an iPhone; only when the first one comes."""
    import pillow_heif

    pillow_heif.register_heif_opener()
