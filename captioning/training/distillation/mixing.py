"""Changes to recorded views whose effect on the teacher's map is known without asking it again."""

from functools import cache

import numpy as np

__all__ = ["flipped", "pasted", "regrid"]


def flipped(
    pixels: np.ndarray, targets: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror half of the views, left to right, and their maps with them.

    Args:
        pixels: `(B, S, S, 3)`.
        targets: `(B, H, W, C)`.
        random: chooses which.
    """
    chosen = (random.random(len(pixels)) < 0.5)[:, None, None, None]
    return (
        np.where(chosen, pixels[:, :, ::-1], pixels),
        np.where(chosen, targets[:, :, ::-1], targets),
    )


def pasted(
    pixels: np.ndarray, targets: np.ndarray, random: np.random.Generator, *, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a block of another view into some of them, and the same block of its map.

    After CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899), with blocks that begin and
    end between regions.  What the teacher would see next to an edge is only nearly what it saw in
    the two views; that price buys views without end.

    Args:
        pixels: `(B, S, S, 3)`.
        targets: `(B, H, W, C)`.
        random: chooses which, and the blocks.
        share: of views that are changed.
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
    """Lay square maps out on another grid; each new region is the mean of the area it covers.

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
    """Return `(new, old)`: how much of each new cell lies in each old one; rows sum to 1."""
    starts, width = np.arange(new) * old / new, old / new
    overlap = np.minimum((starts + width)[:, None], np.arange(1, old + 1)) - np.maximum(
        starts[:, None], np.arange(old)
    )
    shares: np.ndarray = (np.maximum(overlap, 0) / width).astype(np.float32)
    return shares
