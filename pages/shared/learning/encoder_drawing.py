"""Pictures of what the encoder does: patches, kernels, maps, and the field a place sees."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pages.shared.learning.look import Look, figure

if TYPE_CHECKING:
    from captioning.teaching.convolution import Product
    from captioning.teaching.receptive_field import Box

__all__ = ["draw_channels", "draw_field", "draw_product", "draw_scaled"]

_SIGNED = "RdBu_r"
_COLOURS = ("red", "green", "blue")


def draw_scaled(pixels: np.ndarray, scaled: np.ndarray, look: Look) -> Figure:
    """Draw the photo as the encoder reads it, and its three colours after scaling.

    Args:
        pixels: uint8 `(S, S, 3)`.
        scaled: float32 `(S, S, 3)`.
        look: colours and sizes.
    """
    made = figure(look, 9, 2.7)
    photo, *others = made.subplots(1, 4)
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
    rows = product.patch.shape[2]
    high = 0.5 + 2.1 * rows
    made = figure(look, 8.4, high, tight=False)
    grid = made.subplots(rows, 3, squeeze=False)
    made.subplots_adjust(0.05, 0.02, 0.99, 1 - 0.4 / high, wspace=0.08, hspace=0.05)
    for column, (title, values) in enumerate(
        zip(("patch", "× kernel", "= products"), parts, strict=True)
    ):
        limit = float(np.abs(values).max()) or 1.0
        for row in range(rows):
            _numbers(grid[row][column], values[..., row], limit, look)
            if row == 0:
                grid[row][column].set_title(title)
            if column == 0:
                grid[row][column].set_ylabel(names[row])
    return made


def draw_field(
    photo: np.ndarray, box: "Box", grid: tuple[int, int], place: tuple[int, int], look: Look
) -> Figure:
    """Draw on the photo what one place of a map sees, and where that place itself lies.

    Args:
        photo: uint8 `(S, S, 3)`.
        box: the receptive field.
        grid: rows and columns of the map.
        place: row and column of the place.
        look: colours and sizes.
    """
    made = figure(look, 4.2, 4.2, tight=False)
    axes = made.add_axes((0.01, 0.01, 0.98, 0.98))
    axes.imshow(photo)
    cover = np.zeros((*photo.shape[:2], 4))
    cover[..., 3] = 0.66 if box.pixels > 0.01 * photo.shape[0] * photo.shape[1] else 0.35
    cover[box.top : box.bottom + 1, box.left : box.right + 1, 3] = 0.0
    axes.imshow(cover)
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
    """Draw a few channels of a map side by side; outliers in a channel do not rule its colours.

    Args:
        values: float32 `(H, W, C)`.
        channels: which.
        look: colours and sizes.
    """
    columns = 6
    rows = -(-len(channels) // columns)
    made = figure(look, 9, 1.75 * rows)
    grid = list(made.subplots(rows, columns, squeeze=False).ravel())
    for axes, channel in zip(grid, channels, strict=False):
        low, high = np.percentile(values[..., channel], (2, 98))
        axes.imshow(
            values[..., channel], cmap=look.heat, interpolation="nearest", vmin=low, vmax=high
        )
        axes.set_title(f"channel {channel}", fontsize=look.font_size * 0.9)
    _bare(grid)
    for axes in grid[len(channels) :]:
        axes.set_visible(False)
    return made


def _numbers(axes: Axes, values: np.ndarray, limit: float, look: Look) -> None:
    axes.imshow(values, cmap=_SIGNED, vmin=-limit, vmax=limit)
    small = max(values.shape) > 4
    digits = 0 if limit >= 100 else 1 if small or limit >= 10 else 2 if limit >= 1 else 3
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = colormaps[_SIGNED](0.5 + 0.5 * value / limit)
        bright = 0.299 * red + 0.587 * green + 0.114 * blue
        axes.text(
            column,
            row,
            f"{value:.{digits}f}",
            ha="center",
            va="center",
            color="#000000" if bright > 0.5 else "#ffffff",
            fontsize=look.font_size * (0.55 if small else 0.95),
        )
    axes.set(xticks=[], yticks=[])


def _bare(many: Sequence[Axes]) -> None:
    for axes in many:
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
