"""Exact match: captions that equal a reference word for word."""

from collections.abc import Sequence

from captioning.errors import ConfigError
from captioning.text import tokenize


def is_exact(hypothesis: str, references: Sequence[str]) -> bool:
    """Return whether a caption equals a reference, ignoring capital letters and punctuation.

    >>> is_exact("a red star", ["A red star.", "One star."])
    True
    """
    words = tokenize(hypothesis)
    return any(tokenize(reference) == words for reference in references)


def exact_match(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return the share of captions that equal one of their references, 0 to 1.

    It says little about photos, which people rarely describe in the same words.  If a program
    writes the references, n-gram scores are high as soon as the phrases are correct, and this
    score shows whether the content is.

    Args:
        hypotheses: one caption per image.
        references: for each image its references.

    Raises:
        ConfigError: there is nothing to score, or the two differ in number.
    """
    if not hypotheses or len(hypotheses) != len(references):
        raise ConfigError(
            f"Give as many hypotheses as images, and at least one, got {len(hypotheses)} "
            f"hypotheses of {len(references)} images."
        )
    pairs = zip(hypotheses, references, strict=True)
    return sum(is_exact(hypothesis, texts) for hypothesis, texts in pairs) / len(hypotheses)
