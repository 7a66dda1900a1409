"""What each photo adds to a score, kept apart so that photos can be drawn, swapped and ranked.

Corpus BLEU is not a mean over photos, but its counts are sums over them; ROUGE-L and CIDEr-D are
means.  So whatever is done to the photos, the score follows by adding up rows, without a caption
being read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from captioning.errors import ConfigError
from captioning.metrics import METRICS, metric_rows
from captioning.text import tokenize

__all__ = ["PhotoScores", "score_photos"]


@dataclass(frozen=True, eq=False)
class PhotoScores:
    """The scores of N photos, each for itself.

    Attributes:
        names: the photos.
        rows: for each metric its statistics, `(N, C)`, as the metric's entry in `METRICS` counts
            them.  How rare an n-gram is was counted for CIDEr-D over all N photos' references and
            stays so when photos are drawn.
    """

    names: tuple[str, ...]
    rows: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """The number of photos."""
        return len(self.names)

    @cached_property
    def figures(self) -> dict[str, float]:
        """Each metric over all photos, x100."""
        once = np.ones((1, len(self)))
        return {name: float(values[0]) for name, values in self.weighted(once).items()}

    def weighted(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Score collections in which photos occur more than once or not at all.

        Args:
            weights: how often each photo occurs in each of S collections, `(S, N)`.

        Returns:
            For each metric the scores x100, float64 `(S,)`.
        """
        photos = weights.sum(axis=1)
        return {
            name: METRICS[name].of_sums(weights @ rows, photos) for name, rows in self.rows.items()
        }

    def per_photo(self, name: str) -> np.ndarray:
        """Return a metric of each photo by itself, x100, float64 `(N,)`."""
        return METRICS[name].of_sums(self.rows[name], np.ones(len(self)))

    def best_first(self) -> np.ndarray:
        """Return the places of the photos by CIDEr-D, equal ones by ROUGE-L, the best first."""
        order: np.ndarray = np.lexsort((-self.per_photo("rouge_l"), -self.per_photo("cider")))
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
    hypothesis_words = [tokenize(text) for text in hypotheses]
    reference_words = [[tokenize(text) for text in texts] for texts in references]
    return PhotoScores(tuple(names), metric_rows(hypothesis_words, reference_words))
