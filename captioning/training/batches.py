"""Batches: photos with all their captions, as the arrays of one training step."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.vocabulary import PAD, Vocabulary

PhotoSource = Callable[[np.ndarray], np.ndarray]
"""Returns photos by index, as features `(B, R, D)` or `(B, D)`, or as pixels `(B, S, S, 3)`."""

PLACES_MULTIPLE = 256
"""Without a given shape, the number of words in a batch is padded to a multiple of this."""

WORDS_MULTIPLE = 8
"""The number of words in the batches of a run is a multiple of this, to split it over devices."""

STEPS_MULTIPLE = 4
"""Without a given shape, the length of a batch is its longest caption, rounded up to this."""


def teacher_forcing(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split rows `BOS w1 w2 ... EOS PAD...` into inputs and targets.

    Args:
        rows: int32 `(..., T + 1)`.

    Returns:
        inputs and targets, int32 `(..., T)`, the targets one step ahead; and weights, float32
        `(..., T)`, 1 where the *target* is a word or `EOS`.  Weights computed from the inputs would
        train one `PAD` per short caption.

    >>> inputs, targets, weights = teacher_forcing(np.array([[2, 5, 6, 3, 0, 0]]))
    >>> inputs.tolist(), targets.tolist(), weights.tolist()
    ([[2, 5, 6, 3, 0]], [[5, 6, 3, 0, 0]], [[1.0, 1.0, 1.0, 0.0, 0.0]])
    """
    inputs, targets = rows[..., :-1], rows[..., 1:]
    return inputs, targets, (targets != PAD).astype(np.float32)


class CaptionRows:
    """The captions of photos as ids, `N` rows per photo.

    Photos with fewer captions get rows of padding with weight 0.

    Attributes:
        rows: int32 `(photos, N, max_length + 1)`.
    """

    def __init__(
        self, captions: Sequence[Sequence[str]], vocabulary: Vocabulary, *, max_length: int
    ) -> None:
        most = max(map(len, captions), default=1)
        self.rows = np.full((len(captions), most, max_length + 1), PAD, np.int32)
        for place, of_photo in zip(self.rows, captions, strict=True):
            place[: len(of_photo)] = vocabulary.rows(of_photo, max_length=max_length)

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.rows)


@dataclass(frozen=True)
class SplitData:
    """One split of the data, ready for training.

    Attributes:
        photos: returns features or pixels by index.
        captions: raw captions of each photo.
        names: of the photos, used in events; may be empty.
        crops: number of crops of each photo; of n photos, crop k of photo i has index k * n + i.
        can_flip: bool `(photos,)`, which photos are also shown flipped; None for none.  Flipped
            views follow all others, in the same order.
        repeats: int64 `(photos,)`, how often an epoch shows each photo; None for once.
        sources: name and number of photos of each data set, in order; empty for a single one.
    """

    photos: PhotoSource
    captions: Sequence[Sequence[str]]
    names: Sequence[str] = ()
    crops: int = 0
    can_flip: np.ndarray | None = None
    repeats: np.ndarray | None = None
    sources: Sequence[tuple[str, int]] = ()

    @property
    def shown(self) -> int:
        """Number of photos shown per epoch, including repeats."""
        return len(self.captions) if self.repeats is None else int(self.repeats.sum())

    def names_by_source(self) -> list[Sequence[str]]:
        """Return the names of the photos of each data set."""
        if not self.sources:
            return [self.names]
        ends = np.cumsum([count for _, count in self.sources])
        return [self.names[e - n : e] for (_, n), e in zip(self.sources, ends, strict=True)]

    def groups(self, size: int, random: np.random.Generator) -> list[np.ndarray]:
        """Draw the order and the views of one epoch; return the indices of each step.

        With n photos, an index of n or more is an augmented view.

        Args:
            size: photos per step.
            random: the random generator.
        """
        photos = len(self.captions)
        repeats = 1 if self.repeats is None else self.repeats
        order = random.permutation(np.repeat(np.arange(photos), repeats))
        views = np.zeros(self.shown, np.int64)
        if self.can_flip is not None:
            views += (self.crops + 1) * (self.can_flip[order] & (random.random(self.shown) < 0.5))
        if self.crops:
            crops = random.integers(1, self.crops + 1, self.shown)
            views += np.where(random.random(self.shown) < 0.5, crops, 0)
        order = order + photos * views
        return [order[start : start + size] for start in range(0, len(order), size)]


@dataclass(frozen=True)
class Batch:
    """The data of one training step.

    Attributes:
        photos: features or pixels, first axis B.
        tokens: int32 `(B, N, T)`, the inputs.
        places: int32 `(M,)`, positions of the real targets in the flattened `(B * N * T)` array.
        targets: int32 `(M,)`, the target ids at these positions.
        weights: float32 `(M,)`, one over the number of real targets; 0 for padding.
        words: number of real targets.
        expected: float32 `(M, V)`, the teachers' word probabilities at these positions; None
            without teachers.
        sentences: int32 `(1, S, T)`, sentences read with a blank photo.  Their targets follow
            those of the captions, with positions counted on.  None without sentences.
    """

    photos: np.ndarray
    tokens: np.ndarray
    places: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    words: int
    expected: np.ndarray | None = None
    sentences: np.ndarray | None = None


@dataclass(frozen=True)
class BatchShape:
    """A shape that the batches of a run share, because each new shape is compiled again.

    Attributes:
        steps: T, at least the length of every caption with its end mark.
        words: M is padded to a multiple of this.
    """

    steps: int
    words: int


def shape_for(rows: np.ndarray, groups: Iterable[np.ndarray]) -> BatchShape:
    """Return the smallest shape that fits several batches, up to `WORDS_MULTIPLE`.

    Args:
        rows: ids, `(photos, N, T + 1)`.
        groups: the photos of each batch.
    """
    lengths = (rows[..., 1:] != PAD).sum(axis=-1)
    per_photo = lengths.sum(axis=-1)
    most = max((int(per_photo[group].sum()) for group in groups), default=1)
    words = -(-max(most, 1) // WORDS_MULTIPLE) * WORDS_MULTIPLE
    return BatchShape(steps=max(int(lengths.max(initial=1)), 1), words=words)


def padded_indices(indices: np.ndarray, count: int) -> np.ndarray:
    """Repeat the last index until there are `count` of them.

    >>> padded_indices(np.array([4, 7]), 4).tolist()
    [4, 7, 7, 7]
    """
    return np.pad(indices, (0, max(count - len(indices), 0)), mode="edge")


def make_batch(
    photos: np.ndarray,
    rows: np.ndarray,
    *,
    caption_weights: np.ndarray | None = None,
    shape: BatchShape | None = None,
) -> Batch:
    """Make a batch in which only real words reach the vocabulary layer.

    Half of a padded batch is padding, and the vocabulary layer is the most expensive one.

    Args:
        photos: features or pixels, first axis B.  Photos without rows are padding: they get no
            words and do not change the loss.
        rows: ids `BOS ... EOS PAD...`, int32 `(B, N, T + 1)`.
        caption_weights: weight of each caption's words, `(B, N)`; 1 by default.
        shape: of the arrays; by default what this batch needs.
    """
    inputs, targets, real = teacher_forcing(rows)
    longest = int(real.sum(axis=-1).max())
    steps = shape.steps if shape else -(-longest // STEPS_MULTIPLE) * STEPS_MULTIPLE
    padding = max(len(photos) - len(rows), 0)
    inputs, targets, real = (
        np.pad(part[..., :steps], ((0, padding), (0, 0), (0, 0)))
        for part in (inputs, targets, real)
    )
    places = np.flatnonzero(real)
    multiple = shape.words if shape else PLACES_MULTIPLE
    count = -(-len(places) // multiple) * multiple
    weights = np.zeros(count, np.float32)
    if caption_weights is not None:
        real[: len(rows)] *= caption_weights[..., None]
    weights[: len(places)] = real.reshape(-1)[places] / max(len(places), 1)
    padded = np.zeros(count, np.int32)
    padded[: len(places)] = places
    return Batch(
        photos=photos,
        tokens=inputs,
        places=padded,
        targets=targets.reshape(-1)[padded],
        weights=weights,
        words=len(places),
    )
