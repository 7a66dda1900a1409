"""Photos as their features: on disk in a store, or in memory for what a visitor brought."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from captioning.features import FeatureStore

__all__ = ["EncodedPhotos"]


@dataclass(frozen=True, eq=False)
class EncodedPhotos:
    """N photos that a model's encoder has looked at.

    Attributes:
        names: the photos.
        rows: returns the features of the photos at these places, `(B, R, D)` or `(B, D)`.
    """

    names: tuple[str, ...]
    rows: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def in_store(cls, store: "FeatureStore", names: Sequence[str]) -> "EncodedPhotos":
        """Take photos of a feature store; those it could not read are left out."""
        kept = tuple(name for name in names if name in store)
        places = store.places(kept)
        return cls(kept, lambda some: store.rows(places[some]))

    @classmethod
    def in_memory(cls, names: Sequence[str], features: np.ndarray) -> "EncodedPhotos":
        """Take features that are at hand, `(N, R, D)` or `(N, D)`."""
        return cls(tuple(names), lambda some: features[some])

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.names)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield the features of all photos in their order, `size` photos at a time."""
        places = np.arange(len(self))
        for start in range(0, len(self), size):
            yield self.rows(places[start : start + size])
