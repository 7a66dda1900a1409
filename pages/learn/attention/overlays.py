"""Where an attention model looked, word by word, as maps over the photo."""

from dataclasses import dataclass

import numpy as np

from pages.learn import inspector
from pages.learn.subject import Subject

__all__ = ["Looks", "looks_at", "quarter"]


@dataclass(frozen=True)
class Looks:
    """The looks of one sentence.

    Attributes:
        heads: weights of each head, float64 `(T, H, rows, columns)`; each map sums to 1.  One for
            each word and one for the end.
    """

    heads: np.ndarray

    @property
    def maps(self) -> np.ndarray:
        """The mean over the heads, `(T, rows, columns)`."""
        mean: np.ndarray = self.heads.mean(axis=1)
        return mean

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of regions."""
        return self.heads.shape[2], self.heads.shape[3]

    @property
    def regions(self) -> int:
        """How many regions there are."""
        return self.grid[0] * self.grid[1]

    @property
    def spread(self) -> np.ndarray:
        """Over how many regions each look is spread, `(T,)`: e to the power of its entropy."""
        flat = self.maps.reshape(len(self.heads), -1)
        spread: np.ndarray = np.exp(-(flat * np.log(np.maximum(flat, 1e-30))).sum(axis=1))
        return spread

    def narrowest_word(self) -> int:
        """Return the place of the word whose look is the narrowest; the end does not count."""
        return int(self.spread[:-1].argmin())

    def widest_word(self) -> int:
        """Return the place of the word whose look is the widest; the end does not count."""
        return int(self.spread[:-1].argmax())

    def regions_for_half(self, place: int) -> tuple[int, float]:
        """Return how many of the strongest regions hold half of a look, and what they hold."""
        sums = np.cumsum(np.sort(self.maps[place].ravel())[::-1])
        needed = min(int(np.searchsorted(sums, 0.5)), len(sums) - 1)
        return needed + 1, float(sums[needed])

    def in_quarter(self, place: int, name: str) -> float:
        """Return what share of a look falls into a quarter of the photo."""
        rows, columns = self.grid
        names = np.array([[quarter(self.grid, r, c) for c in range(columns)] for r in range(rows)])
        return float(self.maps[place][names == name].sum())


def looks_at(subject: Subject) -> Looks:
    """Return the looks of the caption, from a model with attention."""
    rows, columns = grid_of(subject)
    steps = inspector.reading(subject).steps
    found = [step.look.weights[0].reshape(-1, rows, columns) for step in steps if step.look]
    return Looks(np.stack(found))


def grid_of(subject: Subject) -> tuple[int, int]:
    """Return rows and columns of the encoder's regions; a single row where it has no grid."""
    regions = subject.bundle.feature_shape[0]
    return subject.captioner.encoder.grid or (1, regions)


def quarter(grid: tuple[int, int], row: int, column: int) -> str:
    """Name the quarter of the photo that a region lies in; the middle belongs to the far side.

    >>> quarter((8, 8), 3, 4)
    'top right'
    """
    rows, columns = grid
    return f"{'top' if row < rows / 2 else 'bottom'} {'left' if column < columns / 2 else 'right'}"
