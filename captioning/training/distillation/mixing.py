"""Augmentations of recorded views with a known effect on the teacher's feature map."""

from functools import cache

import numpy as np

__all__ = ["flipped", "pasted", "regrid"]


def flipped(
    pixels: np.ndarray, targets: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Flip half of the views and their maps horizontally.

    Args:
        pixels: `(B, S, S, 3)`.
        targets: `(B, H, W, C)`.
        random: chooses the views.
    """
    chosen = (random.random(len(pixels)) < 0.5)[:, None, None, None]
    return (
        np.where(chosen, pixels[:, :, ::-1], pixels),
        np.where(chosen, targets[:, :, ::-1], targets),
    )


def pasted(
    pixels: np.ndarray, targets: np.ndarray, random: np.random.Generator, *, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a block of another view into some views, and the same block of its map.

    After CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899), with blocks aligned to
    regions.  Near the edges the map is only approximate, but the number of views is unlimited.

    Args:
        pixels: `(B, S, S, 3)`.
        targets: `(B, H, W, C)`.
        random: chooses the views and the blocks.
        share: of the views that are changed.
    """
    pixels, targets = pixels.copy(), targets.copy()
    side = targets.shape[1]
    others = random.permutation(len(pixels))
    from_pixels, from_targets = pixels.copy(), targets.copy()
    edges = np.round(np.arange(side + 1) * pixels.shape[1] / side).astype(int)
    for view in np.flatnonzero(random.random(len(pixels)) < share):
        top, left = random.integers(0, side, 2)
        bottom, right = random.integers((top + 1, left + 1), side + 1)
        other = others[view]
        rows, columns = slice(top, bottom), slice(left, right)
        targets[view, rows, columns] = from_targets[other, rows, columns]
        rows, columns = slice(edges[top], edges[bottom]), slice(edges[left], edges[right])
        pixels[view, rows, columns] = from_pixels[other, rows, columns]
    return pixels, targets


def regrid(targets: np.ndarray, side: int) -> np.ndarray:
    """Resample square maps to another grid; each new region is the mean of its area.

    Args:
        targets: float32 `(B, R, C)`, `R` a square number.
        side: of the new grid.

    Returns:
        float32 `(B, side, side, C)`.
    """
    old = round(targets.shape[1] ** 0.5)
    maps = targets.reshape(len(targets), old, old, -1)
    if old == side:
        return maps
    share = _shares(old, side)
    moved: np.ndarray = np.einsum("yi,xj,bijc->byxc", share, share, maps, optimize=True)
    return moved


@cache
def _shares(old: int, new: int) -> np.ndarray:
    """Return `(new, old)`: the share of each new cell in each old cell; rows sum to 1."""
    starts, width = np.arange(new) * old / new, old / new
    overlap = np.minimum((starts + width)[:, None], np.arange(1, old + 1)) - np.maximum(
        starts[:, None], np.arange(old)
    )
    shares: np.ndarray = (np.maximum(overlap, 0) / width).astype(np.float32)
    return shares
