"""ROUGE-L as pycocoevalcap computes it: the longest common subsequence of words as an F-score."""

from collections.abc import Sequence

import numpy as np

from captioning.metrics.ngrams import ImageScores, Tokens, check_captions

BETA = 1.2
"""How many times more recall weighs than precision; the value MS-COCO's evaluation settled on."""


def rouge_l(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> ImageScores:
    """Score each image by its longest common subsequence with the references.

    The best precision and the best recall are taken over the references each for itself, so they
    may come from two different references.  A caption without words scores 0.

    Args:
        hypotheses: for each image, one list of words.
        references: for each image, at least one list of words.

    Returns:
        Each image's score from 0 to 1.

    Raises:
        ConfigError: a caption is a string, an image has no reference, there is no image, or the
            two arguments differ in length.

    >>> round(rouge_l([["a", "red", "kite"]], [[["a", "kite"]]]).mean, 4)
    0.8299

    Reference: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, section 3.
    """
    check_captions(hypotheses, references)
    pairs = zip(hypotheses, references, strict=True)
    return ImageScores(np.array([_score_image(hypothesis, refs) for hypothesis, refs in pairs]))


def longest_common_subsequence(first: Tokens, second: Tokens) -> int:
    """Return how many words `first` and `second` have in common in the same order.

    >>> longest_common_subsequence("a dog runs in snow".split(), "a dog in deep snow".split())
    4
    """
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0  # the row above, one column to the left
        for column, other in enumerate(second, start=1):
            above = row[column]
            row[column] = diagonal + 1 if word == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


def _score_image(hypothesis: Tokens, references: Sequence[Tokens]) -> float:
    common = [longest_common_subsequence(hypothesis, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(hypothesis)
    recall = max(
        shared / len(reference)
        for shared, reference in zip(common, references, strict=True)
        if shared
    )
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
