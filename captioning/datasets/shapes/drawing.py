"""Draw a scene with integer arithmetic, and write it as an uncompressed PNG.

Pillow draws with floating-point numbers, so edges may differ between processors and versions, and
its PNG writer uses zlib, whose output differs between builds.
"""

import struct
import zlib
from functools import lru_cache
from math import isqrt

from captioning.datasets.shapes.scene import CANVAS, COLORS, Color, Figure, Scene

# Antialiasing: a pixel is covered by 0 to 16 of its 4 x 4 samples.
_SAMPLES = 4
_LEVELS = _SAMPLES * _SAMPLES

# Corners in thousandths of the figure's radius from the centre, y downwards.
_CORNERS: dict[str, tuple[tuple[int, int], ...]] = {
    "square": ((-850, -850), (850, -850), (850, 850), (-850, 850)),
    "triangle": ((0, -920), (1000, 830), (-1000, 830)),
    "star": (
        (0, -1000), (270, -321), (999, -275), (437, 192), (617, 899),
        (0, 510), (-617, 899), (-437, 192), (-999, -275), (-270, -321),
    ),
    "cross": (
        (-320, -950), (320, -950), (320, -320), (950, -320), (950, 320), (320, 320),
        (320, 950), (-320, 950), (-320, 320), (-950, 320), (-950, -320), (-320, -320),
    ),
}  # fmt: skip

# Samples are at odd multiples of this, in thousandths of a pixel.
_HALF_STEP = 1000 // (2 * _SAMPLES)


def paint(scene: Scene) -> bytes:
    """Return the scene as the bytes of a PNG of CANVAS x CANVAS pixels with a palette."""
    pixels = bytearray(CANVAS * CANVAS)
    palette: list[Color] = [scene.ground]
    for figure in scene.figures:
        _stamp(pixels, figure, first=len(palette) - 1)
        palette += _shades(scene.ground, COLORS[figure.color])
    return _png(bytes(pixels), palette)


def _shades(ground: Color, color: Color) -> list[Color]:
    """Blend the colour into the background, in steps of 1/16."""
    return [
        (_mix(ground[0], color[0], n), _mix(ground[1], color[1], n), _mix(ground[2], color[2], n))
        for n in range(1, _LEVELS + 1)
    ]


def _mix(ground: int, color: int, level: int) -> int:
    return (ground * (_LEVELS - level) + color * level + _LEVELS // 2) // _LEVELS


def _stamp(pixels: bytearray, figure: Figure, first: int) -> None:
    """Write the palette indices of a figure over the background: `first` + its coverage."""
    for row, coverages in enumerate(_coverage(figure.kind, figure.radius)):
        start = (figure.y - figure.radius + row) * CANVAS + figure.x - figure.radius
        for column, level in enumerate(coverages):
            if level:
                pixels[start + column] = first + level


@lru_cache(maxsize=64)
def _coverage(kind: str, radius: int) -> tuple[tuple[int, ...], ...]:
    """Count the samples inside a figure for each pixel of its bounding box."""
    width = 2 * radius
    rows = []
    for row in range(width):
        counts = [0] * width
        for sample in range(row * _SAMPLES, (row + 1) * _SAMPLES):
            y = (2 * sample + 1) * _HALF_STEP - radius * 1000
            edges = _edges(kind, radius, y)
            for left, right in zip(edges[::2], edges[1::2], strict=True):
                for inside in range(left, right):
                    counts[inside // _SAMPLES] += 1
        rows.append(tuple(counts))
    return tuple(rows)


def _edges(kind: str, radius: int, y: int) -> list[int]:
    """Return where the line at height `y` enters and leaves a figure, alternately.

    The result is the index of the first sample on or after the edge, counted from the box's left.
    """
    if kind == "circle":
        half = isqrt((radius * 1000) ** 2 - y * y)
        return [_first_sample(-half, 1, radius), _first_sample(half, 1, radius)]
    corners = [(x * radius, v * radius) for x, v in _CORNERS[kind]]
    if kind != "star":  # straight sides on whole pixels are sharp
        corners = [((x + 500) // 1000 * 1000, (v + 500) // 1000 * 1000) for x, v in corners]
    found = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 <= y) != (y1 <= y):
            height = abs(y1 - y0)
            run = (y - y0) * (x1 - x0) * (1 if y1 > y0 else -1)
            found.append(_first_sample(x0 * height + run, height, radius))
    return sorted(found)


def _first_sample(numerator: int, denominator: int, radius: int) -> int:
    """Return the first sample at or right of the exact position numerator / denominator."""
    from_left = numerator + (radius * 1000 - _HALF_STEP) * denominator
    return -(-from_left // (2 * _HALF_STEP * denominator))


def _png(pixels: bytes, palette: list[Color]) -> bytes:
    """Write palette indices as an 8-bit PNG with stored, uncompressed data."""
    rows = b"".join(
        b"\0" + pixels[start : start + CANVAS] for start in range(0, len(pixels), CANVAS)
    )
    # One stored block of deflate (RFC 1951, 3.2.4) has up to 65,535 bytes; this one has 9,312.
    stored = b"\x78\x01" + b"\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", CANVAS, CANVAS, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(part for color in palette for part in color)),
            _chunk(b"IDAT", stored + struct.pack(">I", zlib.adler32(rows))),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
