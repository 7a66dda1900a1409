"""Pictures of what the encoder does: patches, kernels, maps, and receptive fields."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pages.learn.figures import figure
from pages.ui.theme import Look

if TYPE_CHECKING:
    from captioning.lessons.convolution import Product
    from captioning.lessons.receptive_field import Box

_SIGNED = "RdBu_r"
_COLOURS = ("red", "green", "blue")
_GAP = 0.09
"""Between grids and maps, as a share of their side."""


def draw_scaled(pixels: np.ndarray, scaled: np.ndarray, look: Look) -> Figure:
    """Draw the photo as the encoder reads it, and its three colours after scaling.

    Args:
        pixels: uint8 `(S, S, 3)`.
        scaled: float32 `(S, S, 3)`.
        look: colours and sizes.
    """
    made = figure(look, 5, 4.8)
    photo, *others = made.subplots(2, 2).ravel()
    photo.imshow(pixels)
    photo.set_title(f"{pixels.shape[0]} × {pixels.shape[1]} pixels")
    limit = float(np.abs(scaled).max()) or 1.0
    for number, axes in enumerate(others):
        drawn = axes.imshow(scaled[..., number], cmap="gray", vmin=-limit, vmax=limit)
        axes.set_title(_COLOURS[number])
    made.colorbar(drawn, ax=others, shrink=0.85)
    _bare([photo, *others])
    return made


def draw_product(product: "Product", names: Sequence[str], look: Look) -> Figure:
    """Draw patch, kernel and products number by number, one row a channel.

    Args:
        product: with arrays `(k, k, C)`.
        names: of the channels.
        look: colours and sizes.
    """
    parts = (product.patch, product.kernel, product.products)
    side, _, rows = product.patch.shape
    high = 0.5 + 1.45 * rows
    made = figure(look, 5.4, high, tight=False)
    # One pair of axes for all grids: a pair for each takes as long as the numbers in it.
    axes = made.add_axes((0.05, 0.02, 0.94, 0.98 - 0.4 / high))
    far = side * (1 + _GAP)
    for column, (title, values) in enumerate(
        zip(("patch", "× kernel", "= products"), parts, strict=True)
    ):
        limit = float(np.abs(values).max()) or 1.0
        middle = column * far + (side - 1) / 2
        axes.text(middle, -0.5 - _GAP, title, ha="center", va="bottom")
        for row in range(rows):
            _numbers(axes, values[..., row], limit, look, corner=(column * far, row * far))
    for row, name in enumerate(names):
        middle = row * far + (side - 1) / 2
        axes.text(-0.5 - _GAP, middle, name, ha="right", va="center", rotation="vertical")
    axes.set(xlim=(-0.5, 2 * far + side - 0.5), ylim=((rows - 1) * far + side - 0.5, -0.5))
    axes.set_aspect("equal")
    _bare([axes])
    return made


def draw_field(
    photo: np.ndarray, box: "Box", grid: tuple[int, int], place: tuple[int, int], look: Look
) -> Figure:
    """Draw on the photo the receptive field of one place of a map, and the place itself.

    Args:
        photo: uint8 `(S, S, 3)`.
        box: the receptive field.
        grid: rows and columns of the map.
        place: row and column of the place.
        look: colours and sizes.
    """
    made = figure(look, 4.2, 4.2, tight=False)
    axes = made.add_axes((0.01, 0.01, 0.98, 0.98))
    light = 0.34 if box.pixels > 0.01 * photo.shape[0] * photo.shape[1] else 0.65
    inside = slice(box.top, box.bottom + 1), slice(box.left, box.right + 1)
    shown = (light * photo).astype(np.uint8)
    shown[inside] = photo[inside]
    axes.imshow(shown, interpolation="nearest")
    high, wide = photo.shape[0] / grid[0], photo.shape[1] / grid[1]
    own = (place[1] * wide - 0.5, place[0] * high - 0.5)
    for colour, width in (("#000000", 3.5), ("#ffffff", 1.5)):
        axes.add_patch(Rectangle(own, wide, high, fill=False, edgecolor=colour, linewidth=width))
        corner = (box.left - 0.5, box.top - 0.5)
        size = (box.right - box.left + 1, box.bottom - box.top + 1)
        axes.add_patch(
            Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=width, linestyle="--")
        )
    _bare([axes])
    return made


def draw_channels(values: np.ndarray, channels: Sequence[int], look: Look) -> Figure:
    """Draw a few channels of a map side by side; outliers do not dominate its colours.

    Args:
        values: float32 `(H, W, C)`.
        channels: which.
        look: colours and sizes.
    """
    columns, (height, width) = 4, values.shape[:2]
    rows = -(-len(channels) // columns)
    made = figure(look, 5, 1.55 * rows, tight=False)
    axes = made.add_axes((0.0, 0.0, 1.0, 1.0))
    across, down = width + ceil(_GAP * width), height + ceil(2.2 * _GAP * height)
    # One picture of all maps, coloured before it is enlarged: one for each takes twice as long.
    sheet = np.zeros((rows * down, columns * across, 4), np.uint8)
    for number, channel in enumerate(channels):
        left, top = number % columns * across, number // columns * down
        colours = colormaps[look.heat](_spread(values[..., channel]), bytes=True)
        sheet[top : top + height, left : left + width] = colours
        axes.text(
            left + width / 2,
            top - 0.3 * _GAP * height,
            f"channel {channel}",
            ha="center",
            va="bottom",
            fontsize=look.font_size * 0.9,
        )
    extent = (0, columns * across, rows * down, 0)
    axes.imshow(sheet, interpolation="nearest", extent=extent)
    axes.set(xlim=(-0.02 * width, columns * across), ylim=(rows * down, -2 * _GAP * height))
    _bare([axes])
    return made


def _spread(values: np.ndarray) -> np.ndarray:
    """Scale a map to 0..1; the lowest and the highest 2 % are clipped."""
    low, high = np.percentile(values, (2, 98))
    spread: np.ndarray = np.clip((values - low) / (float(high - low) or 1.0), 0.0, 1.0)
    return spread


def _numbers(
    axes: Axes, values: np.ndarray, limit: float, look: Look, *, corner: tuple[float, float]
) -> None:
    rows, columns = np.indices(values.shape)
    left, top = (corner[0] + columns - 0.5).ravel(), (corner[1] + rows - 0.5).ravel()
    right, bottom = left + 1, top + 1
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    cells = np.stack(corners).transpose(2, 0, 1)
    colours = colormaps[_SIGNED](0.5 + 0.5 * values / limit)
    # Cells, not an image: scaling one to the screen's pixels takes ten times as long.
    axes.add_collection(PolyCollection(list(cells), color=colours.reshape(-1, 4), linewidths=0.3))
    small = max(values.shape) > 4
    digits = 0 if limit >= 100 else 1 if small or limit >= 10 else 2 if limit >= 1 else 3
    bright = colours[..., :3] @ np.array((0.299, 0.587, 0.114)) > 0.5
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            corner[0] + column,
            corner[1] + row,
            f"{round(value, digits) + 0.0:.{digits}f}",  # no -0.00
            ha="center",
            va="center",
            color="#000000" if bright[row, column] else "#ffffff",
            fontsize=min(look.font_size, 10.5) * (0.55 if small else 0.95),
        )


def _bare(many: Sequence[Axes]) -> None:
    for axes in many:
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
