"""What else could have stood at each place of a sentence."""

from dataclasses import dataclass

import numpy as np

from captioning.decoding import Reading
from captioning.vocabulary import EOS, Vocabulary

__all__ = ["Rival", "rivals"]


@dataclass(frozen=True)
class Rival:
    """A word that could have been said at one place.

    Attributes:
        word: the word; None for ending the sentence there.
        log_prob: natural logarithm of its probability, given the photo and the words before.
        rank: 1 for the likeliest word at that place.
        said: whether it is the word that was said.
    """

    word: str | None
    log_prob: float
    rank: int
    said: bool


def rivals(reading: Reading, vocabulary: Vocabulary, *, top: int = 10) -> list[list[Rival]]:
    """List the likeliest words at each place of a sentence and at its end.

    Args:
        reading: of the sentence with one photo; the first of a batch is taken.
        vocabulary: of the model.
        top: how many a place; the word that was said comes last if it is not among them.

    Returns:
        A list for each word and one for the end, the likeliest first.
    """
    found = []
    for said, log_probs in zip(reading.ids, reading.log_probs[0], strict=True):
        order = np.argsort(-log_probs, kind="stable")
        ranks = list(range(min(top, len(order))))
        place = int(np.flatnonzero(order == said)[0])
        if place >= len(ranks):
            ranks.append(place)
        found.append(
            [
                Rival(
                    word=None if order[rank] == EOS else vocabulary.words[order[rank]],
                    log_prob=float(log_probs[order[rank]]),
                    rank=rank + 1,
                    said=bool(order[rank] == said),
                )
                for rank in ranks
            ]
        )
    return found
