"""What each photo adds to a score, kept apart so that photos can be drawn, swapped and ranked.

Corpus BLEU is not a mean over photos, but its counts are sums over them; ROUGE-L and CIDEr-D are
means.  So whatever is done to the photos, the score follows by adding up rows, without a caption
being read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from captioning.bundle.scores import MEASURES
from captioning.errors import ConfigError
from captioning.metrics import bleu_statistics, cider, rouge_l
from captioning.text import tokenize

__all__ = ["MEASURES", "PhotoScores", "bleu_of_counts", "score_photos"]

_BLEU = MEASURES[:4]


@dataclass(frozen=True, eq=False)
class PhotoScores:
    """The scores of N photos, each for itself.

    Attributes:
        names: the photos.
        counts: what BLEU counts of each, int64 `(N, 10)`, laid out as
            `captioning.metrics.bleu_statistics` does.
        rouge_l: ROUGE-L x100, float64 `(N,)`.
        cider: CIDEr-D x100, float64 `(N,)`; how rare an n-gram is was counted over all N photos'
            references and stays so when photos are drawn.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    rouge_l: np.ndarray
    cider: np.ndarray

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.names)

    @cached_property
    def figures(self) -> dict[str, float]:
        """BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D of all photos, x100."""
        once = np.ones((1, len(self)))
        return {name: float(values[0]) for name, values in self.weighted(once).items()}

    def weighted(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Score collections in which photos occur more than once or not at all.

        Args:
            weights: how often each photo occurs in each of S collections, `(S, N)`.

        Returns:
            For each measure the scores x100, float64 `(S,)`.
        """
        bleu = bleu_of_counts(weights @ self.counts)
        photos = weights.sum(axis=1)
        return {
            **{name: bleu[:, order] for order, name in enumerate(_BLEU)},
            "rouge_l": weights @ self.rouge_l / photos,
            "cider": weights @ self.cider / photos,
        }

    @cached_property
    def sentence_bleu(self) -> np.ndarray:
        """BLEU-1 to BLEU-4 of each photo as a corpus of one, x100, `(N, 4)`."""
        return bleu_of_counts(self.counts)

    def best_first(self) -> np.ndarray:
        """Return the places of the photos by CIDEr-D, equal ones by ROUGE-L, the best first."""
        order: np.ndarray = np.lexsort((-self.rouge_l, -self.cider))
        return order


def score_photos(
    names: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> PhotoScores:
    """Score each photo's caption against the photo's references.

    Args:
        names: of the photos.
        hypotheses: a caption for each photo, as text.
        references: for each photo its reference captions, as text.

    Raises:
        ConfigError: there is no photo, one has no reference, or the arguments differ in length.
    """
    if len(names) != len(hypotheses):
        raise ConfigError(f"There are {len(hypotheses)} captions for {len(names)} photos.")
    said = [tokenize(text) for text in hypotheses]
    truth = [[tokenize(text) for text in texts] for texts in references]
    similar = cider(said, truth).per_image  # also checks all the arguments
    return PhotoScores(
        names=tuple(names),
        counts=np.stack([bleu_statistics(s, t) for s, t in zip(said, truth, strict=True)]),
        rouge_l=100 * rouge_l(said, truth).per_image,
        cider=100 * similar,
    )


def bleu_of_counts(counts: np.ndarray) -> np.ndarray:
    """Turn rows of BLEU's counts into BLEU-1 to BLEU-4.

    Args:
        counts: `(S, 10)`, each the sum of the counts of a collection's photos.

    Returns:
        float64 `(S, 4)`, x100: what `bleu_from_statistics` gives row by row.
    """
    counts = np.asarray(counts, np.float64)
    clipped, said, length, nearest = counts[:, :4], counts[:, 4:8], counts[:, 8], counts[:, 9]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precisions = np.where(clipped > 0, np.log(clipped / said), -np.inf)
        penalty = np.where(length > nearest, 0.0, 1 - nearest / length)
    penalty = np.where(length > 0, penalty, -np.inf)
    means = np.cumsum(log_precisions, axis=1) / np.arange(1, 5)
    bleu: np.ndarray = 100 * np.exp(means + penalty[:, None])
    return bleu
