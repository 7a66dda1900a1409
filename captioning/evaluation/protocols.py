"""The same captions scored in other ways, most of them mistakes of tutorials.

The captions do not change, only the scoring; so the figures show how wrong a published BLEU can
be, and why two of them are comparable only if they are computed in the same way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.metrics import bleu_of_counts, bleu_statistics
from captioning.text import STOP_WORDS, tokenize

Caption = Sequence[str]
"""A caption as words, or, in one of the mistakes, as letters."""

Pairs = list[tuple[Caption, list[Caption]]]

_SMOOTHING = 0.1
"""The count that replaces 0 matches in nltk's smoothing method 1."""


@dataclass(frozen=True)
class Mistake:
    """A way of scoring.

    Attributes:
        name: in a few words.
        why: what is wrong with it, in a sentence.
        pairs: converts raw texts to the hypotheses and references that are counted.
        score: computes BLEU-1 to BLEU-4, x100, from the counts of each pair, `(M, 10)`.
    """

    name: str
    why: str
    pairs: Callable[[Sequence[str], Sequence[Sequence[str]]], Pairs]
    score: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class MistakenScore:
    """The scores of captions by one way of scoring.

    Attributes:
        mistake: the way of scoring.
        bleu: BLEU-1 to BLEU-4, x100.
        moved: their differences from the correct scores.
    """

    mistake: Mistake
    bleu: tuple[float, ...]
    moved: tuple[float, ...]


def score_wrongly(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> Iterator[MistakenScore]:
    """Score captions in the correct way first, then in all other ways.

    Args:
        hypotheses: a caption for each photo, as text.
        references: for each photo its captions as typed, at least one.
    """
    right: np.ndarray | None = None
    for mistake in MISTAKES:
        pairs = mistake.pairs(hypotheses, references)
        bleu = mistake.score(np.stack([bleu_statistics(*pair) for pair in pairs]))
        right = bleu if right is None else right
        yield MistakenScore(mistake, tuple(map(float, bleu)), tuple(map(float, bleu - right)))


def _each(
    change: Callable[[str], Caption], typed: Callable[[str], Caption] | None = None
) -> Callable[[Sequence[str], Sequence[Sequence[str]]], Pairs]:
    """Split captions into words with `change`, and references with `typed` if it is given."""
    of_reference = typed or change

    def pairs(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Pairs:
        return [
            (change(hypothesis), [of_reference(text) for text in texts])
            for hypothesis, texts in zip(hypotheses, references, strict=True)
        ]

    return pairs


def _long_words(text: str) -> list[str]:
    return [word for word in tokenize(text) if len(word) > 1 and word.isalpha()]


def _first_only(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Pairs:
    return _each(tokenize)(hypotheses, [texts[:1] for texts in references])


def _one_by_one(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Pairs:
    return [
        (tokenize(hypothesis), [tokenize(text)])
        for hypothesis, texts in zip(hypotheses, references, strict=True)
        for text in texts
    ]


def _corpus(counts: np.ndarray) -> np.ndarray:
    bleu: np.ndarray = 100 * bleu_of_counts(counts.sum(axis=0, keepdims=True))[0]
    return bleu


def _three_tenths(counts: np.ndarray) -> np.ndarray:
    """Compute BLEU-3 with three weights of 0.3, whose sum is 0.9."""
    total = counts.sum(axis=0).astype(np.float64)
    bleu = _corpus(counts)
    if bleu[2] > 0:
        logs = np.log(total[:3] / total[4:7]).sum()
        penalty = min(0.0, 1 - total[9] / total[8])
        bleu[2] = 100 * np.exp(0.3 * logs + penalty)
    return bleu


def _mean(counts: np.ndarray) -> np.ndarray:
    mean: np.ndarray = 100 * bleu_of_counts(counts).mean(axis=0)
    return mean


def _smoothed_mean(counts: np.ndarray) -> np.ndarray:
    smoothed = counts.astype(np.float64)
    clipped = smoothed[:, :4]
    clipped[clipped == 0] = _SMOOTHING
    smoothed[counts[:, 0] == 0, :4] = 0  # without a single correct word the score stays 0
    return _mean(smoothed)


MISTAKES = (
    Mistake(
        "As it should be",
        "All references, every word, no punctuation, counted over all photos together.",
        _each(tokenize),
        _corpus,
    ),
    Mistake(
        "BLEU-3 with weights 0.3, 0.3, 0.3",
        "Correct is a third each; these weights add up to 0.9, so BLEU-3 is too high.",
        _each(tokenize),
        _three_tenths,
    ),
    Mistake(
        "Start and end marks counted",
        "Every caption has the same first and last word, so two words are always correct.",
        _each(lambda text: ["<start>", *tokenize(text), "<end>"]),
        _corpus,
    ),
    Mistake(
        "One-letter words and digits dropped",
        'Without "a" the sequences of words change, and the same model looks worse.',
        _each(_long_words),
        _corpus,
    ),
    Mistake(
        "Both: words dropped, marks counted",
        "From a popular tutorial; the two mistakes partly cancel out.",
        _each(lambda text: ["<start>", *_long_words(text), "<end>"]),
        _corpus,
    ),
    Mistake(
        "References as they were typed",
        'Capitals and punctuation stay in the references: "A" and "dog." match nothing.',
        _each(tokenize, str.split),
        _corpus,
    ),
    Mistake(
        "The full stop counted",
        "A full stop at the end of every caption and reference is a word that is always correct.",
        _each(lambda text: [*tokenize(text), "."]),
        _corpus,
    ),
    Mistake(
        "Only the first reference",
        "A good caption is often similar to another reference than the first.",
        _first_only,
        _corpus,
    ),
    Mistake(
        "Every reference by itself",
        "Each photo is counted once per reference, with only this reference.",
        _one_by_one,
        _corpus,
    ),
    Mistake(
        "The mean of the photos' scores",
        "A caption without four correct words in a row scores 0, and most captions have none.",
        _each(tokenize),
        _mean,
    ),
    Mistake(
        "That mean, smoothed",
        "nltk's smoothing method 1: no match counts as a tenth of a match.",
        _each(tokenize),
        _smoothed_mean,
    ),
    Mistake(
        "Stop words removed",
        'Without "a", "in" and "the" few sequences of four words are left to match.',
        _each(lambda text: [word for word in tokenize(text) if word not in STOP_WORDS]),
        _corpus,
    ),
    Mistake(
        "Texts in place of lists of words",
        "The metric then treats every letter as a word, and letters nearly always match.",
        _each(lambda text: list(" ".join(tokenize(text)))),
        _corpus,
    ),
)
