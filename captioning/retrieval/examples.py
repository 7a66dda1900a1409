"""Photos like an example photo, by the angle between their features."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Alike", "find_alike"]


@dataclass(frozen=True)
class Alike:
    """A photo and the cosine between its features and the example's, -1 to 1."""

    place: int
    cosine: float


def find_alike(vectors: np.ndarray, example: np.ndarray, count: int) -> list[Alike]:
    """Return the photos most like an example, the most alike first.

    Args:
        vectors: of the photos, of length 1, `(N, D)`, as `captioning.features.pooled` makes them.
        example: of the example, of length 1, `(D,)`.
        count: how many at most.
    """
    cosines = vectors @ example
    order = np.argsort(-cosines, kind="stable")[:count]
    return [Alike(int(place), float(cosines[place])) for place in order]
