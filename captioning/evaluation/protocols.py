"""The same captions under other ways of scoring, most of them mistakes that tutorials make.

No caption changes, only the counting; so each figure says by how much a published BLEU can be
off, and why two of them compare only when they were counted alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.metrics import bleu_of_counts, bleu_statistics
from captioning.text import tokenize

__all__ = ["MISTAKES", "Mistake", "MistakenScore", "score_wrongly"]

Caption = Sequence[str]
"""A caption as words, or, in one of the mistakes, as letters."""

Pairs = list[tuple[Caption, list[Caption]]]

_STOP_WORDS = frozenset(
    "a an the is are was were be been being am and or but of in on at to by for with from into "
    "onto over under up down out off as it its he she his her him they their them this that "
    "these those there while who which has have had".split()
)
_SMOOTHING = 0.1
"""What stands for no match at all in nltk's smoothing method 1."""


@dataclass(frozen=True)
class Mistake:
    """A way of scoring.

    Attributes:
        name: in a few words.
        why: what is wrong with it, in a sentence.
        pairs: makes captions and references as they are counted, from raw texts.
        score: makes BLEU-1 to BLEU-4, x100, from the counts of each pair, `(M, 10)`.
    """

    name: str
    why: str
    pairs: Callable[[Sequence[str], Sequence[Sequence[str]]], Pairs]
    score: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class MistakenScore:
    """What a way of scoring makes of captions.

    Attributes:
        mistake: the way.
        bleu: BLEU-1 to BLEU-4, x100.
        moved: by how much each differs from the right one.
    """

    mistake: Mistake
    bleu: tuple[float, ...]
    moved: tuple[float, ...]


def score_wrongly(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> Iterator[MistakenScore]:
    """Score captions in the right way first, and then in every other.

    Args:
        hypotheses: a caption for each photo, as text.
        references: for each photo its captions as they were typed, at least one.
    """
    right: np.ndarray | None = None
    for mistake in MISTAKES:
        pairs = mistake.pairs(hypotheses, references)
        bleu = mistake.score(np.stack([bleu_statistics(said, truth) for said, truth in pairs]))
        right = bleu if right is None else right
        yield MistakenScore(mistake, tuple(map(float, bleu)), tuple(map(float, bleu - right)))


def _each(
    change: Callable[[str], Caption], typed: Callable[[str], Caption] | None = None
) -> Callable[[Sequence[str], Sequence[Sequence[str]]], Pairs]:
    """Let `change` make words of every caption, and `typed` of the references if they differ."""
    of_reference = typed or change

    def pairs(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Pairs:
        return [
            (change(said), [of_reference(text) for text in texts])
            for said, texts in zip(hypotheses, references, strict=True)
        ]

    return pairs


def _marked(text: str) -> list[str]:
    return ["<start>", *tokenize(text), "<end>"]


def _long_words(text: str) -> list[str]:
    return [word for word in tokenize(text) if len(word) > 1 and word.isalpha()]


def _content_words(text: str) -> list[str]:
    return [word for word in tokenize(text) if word not in _STOP_WORDS]


def _stopped(text: str) -> list[str]:
    return [*tokenize(text), "."]


def _first_only(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Pairs:
    return _each(tokenize)(hypotheses, [texts[:1] for texts in references])


def _one_by_one(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Pairs:
    return [
        (tokenize(said), [tokenize(text)])
        for said, texts in zip(hypotheses, references, strict=True)
        for text in texts
    ]


def _corpus(counts: np.ndarray) -> np.ndarray:
    bleu: np.ndarray = 100 * bleu_of_counts(counts.sum(axis=0, keepdims=True))[0]
    return bleu


def _three_tenths(counts: np.ndarray) -> np.ndarray:
    """Weigh the first three precisions with 0.3 each in BLEU-3, which leaves a tenth over."""
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
    smoothed[counts[:, 0] == 0, :4] = 0  # not a single right word stays without a score
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
        "A third each is meant; the weights sum to 0.9, so BLEU-3 comes out too high.",
        _each(tokenize),
        _three_tenths,
    ),
    Mistake(
        "Start and end marks counted",
        "Every caption begins and ends alike, so two words are always right.",
        _each(_marked),
        _corpus,
    ),
    Mistake(
        "One-letter words and digits dropped",
        'Without "a" the runs of words are other ones; the same model looks worse.',
        _each(_long_words),
        _corpus,
    ),
    Mistake(
        "Both: words dropped, marks counted",
        "What a much-copied tutorial does; the two errors hide each other in part.",
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
        "A stop at the end of every caption and reference is one more word that is always right.",
        _each(_stopped),
        _corpus,
    ),
    Mistake(
        "Only the first reference",
        "A good caption often resembles the second or fifth person's, not the first's.",
        _first_only,
        _corpus,
    ),
    Mistake(
        "Every reference by itself",
        "Each photo counted once for each of its references, with that one alone.",
        _one_by_one,
        _corpus,
    ),
    Mistake(
        "The mean of the photos' scores",
        "A caption without four right words in a row scores 0, and most have none.",
        _each(tokenize),
        _mean,
    ),
    Mistake(
        "That mean, smoothed",
        "nltk's smoothing method 1: a tenth of a match stands in for none.",
        _each(tokenize),
        _smoothed_mean,
    ),
    Mistake(
        "Stop words removed",
        'Without "a", "in" and "the" few runs of four words are left to match.',
        _each(_content_words),
        _corpus,
    ),
    Mistake(
        "Texts in place of lists of words",
        "The scorer then takes every letter for a word, and letters nearly always match.",
        _each(lambda text: list(" ".join(tokenize(text)))),
        _corpus,
    ),
)
