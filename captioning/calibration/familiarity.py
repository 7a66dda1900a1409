"""How like the photos of training a photo is.  NumPy alone, so that no network is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

__all__ = ["Familiarity"]

COMPONENTS = 64
REGIONS = 12_000
"""Regions from which the directions of largest variation are computed."""
TINY = 1e-6


@dataclass(frozen=True)
class Familiarity:
    """How far photos lie from those of training, measured on the encoder's features.

    Each region is compared with the regions of training photos: its distance along the directions
    in which those vary most, in units of that variation, and the rest, outside of them (Ndiour et
    al. 2020, https://arxiv.org/abs/2012.04250).  A photo is then five figures: the mean and the
    spread of both over its regions, and how like its regions are to each other (a blank page is
    the same everywhere).  How unusual these figures are together is Mahalanobis'
    distance (Lee et al. 2018, https://arxiv.org/abs/1807.03888).

    Attributes:
        mean: `(D,)`, of the regions of training photos.
        scale: `(D,)`, their standard deviation.
        components: `(D, C)`, directions of largest variation, of length 1.
        variances: `(C,)`, along them.
        usual: `(F,)`, the mean of each figure over training photos.
        precision: `(F, F)`, the inverse of the figures' covariance.
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    usual: np.ndarray
    precision: np.ndarray

    @classmethod
    def fit(cls, batches: Sequence[np.ndarray]) -> Self:
        """Learn what is usual.

        Args:
            batches: features of training photos, each `(B, R, D)` or `(B, D)`.
        """
        regions = np.concatenate([as_regions(b).reshape(-1, b.shape[-1]) for b in batches])
        sample = regions[:: max(1, len(regions) // REGIONS)].astype(np.float32)
        mean, scale = sample.mean(axis=0), sample.std(axis=0) + TINY
        standard = (sample - mean) / scale
        values, directions = np.linalg.eigh(standard.T @ standard / len(sample))
        kept = np.argsort(values)[::-1][: min(COMPONENTS, max(1, len(values) // 2))]
        new = cls(mean, scale, directions[:, kept], values[kept] + TINY, mean[:0], mean[:0])
        figures = np.concatenate([new.figures(batch) for batch in batches])
        covariance = np.atleast_2d(np.cov(figures.T)) + TINY * np.eye(figures.shape[1])
        learned = {"usual": figures.mean(axis=0), "precision": np.linalg.inv(covariance)}
        arrays = {**new.arrays(), **learned}
        return cls(**{name: value.astype(np.float32) for name, value in arrays.items()})

    def strangeness(self, features: np.ndarray) -> np.ndarray:
        """Tell how unusual photos are; photos like those of training lie around 1.

        Args:
            features: `(B, R, D)` or `(B, D)`.

        Returns:
            float32 `(B,)`.
        """
        off = self.figures(features) - self.usual
        squared = np.einsum("bi,ij,bj->b", off, self.precision, off) / len(self.usual)
        strange: np.ndarray = np.sqrt(np.maximum(squared, 0.0)).astype(np.float32)
        return strange

    def figures(self, features: np.ndarray) -> np.ndarray:
        """Sum photos up in a few figures, float64 `(B, 5)`, or `(B, 2)` for pooled features."""
        regions = as_regions(features).astype(np.float64)
        standard = (regions - self.mean) / self.scale
        along = standard @ self.components
        within = np.log((np.square(along) / self.variances).mean(axis=2) + TINY)
        rest = np.square(standard).sum(axis=2) - np.square(along).sum(axis=2)
        outside = np.log(np.maximum(rest, TINY))
        means = [within.mean(axis=1), outside.mean(axis=1)]
        if regions.shape[1] == 1:
            return np.stack(means, axis=1)
        spreads = [within.std(axis=1), outside.std(axis=1)]
        return np.stack([*means, *spreads, np.log(1.001 - _kin(regions))], axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        return dict(vars(self))

    @property
    def fits_together(self) -> bool:
        """Whether the shapes of the arrays agree, as those of a damaged bundle may not."""
        if self.components.ndim != 2:
            return False
        (channels, kept), figures = self.components.shape, self.usual.shape
        expected = [(channels,), (channels,), (kept,), figures * 2]
        found = (self.mean, self.scale, self.variances, self.precision)
        return figures in ((2,), (5,)) and [array.shape for array in found] == expected


def as_regions(features: np.ndarray) -> np.ndarray:
    """Return features `(B, R, D)`; pooled ones `(B, D)` become a single region."""
    return features[:, None] if features.ndim == 2 else features


def _kin(regions: np.ndarray) -> np.ndarray:
    """Return the mean cosine `(B,)` of each region with the third most like it of its photo."""
    directions = regions / (np.linalg.norm(regions, axis=2, keepdims=True) + TINY)
    cosines = np.einsum("brd,bsd->brs", directions, directions, optimize=True)
    itself = np.arange(cosines.shape[1])
    cosines[:, itself, itself] = -1.0
    third: np.ndarray = np.sort(cosines, axis=2)[:, :, -min(3, len(itself) - 1)].mean(axis=1)
    return third
