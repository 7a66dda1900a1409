"""BLEU of one caption laid open: which n-grams match where, and the arithmetic to the figure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from captioning.metrics import BleuScore, bleu_from_statistics, bleu_statistics, clip_ngrams
from captioning.metrics.ngrams import MAX_ORDER
from captioning.text import tokenize

__all__ = ["BleuDrawing", "MarkedWord", "NgramUse", "draw_bleu", "sentence_scores"]

Verdict = Literal["counted", "clipped", "absent"]


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """A word and the longest n-gram through it that hypothesis and references share.

    Attributes:
        word: the word.
        order: words in that n-gram, 1 to 4; 0 if not even the word is shared.
        joined: whether the word before it and this one stand in a shared n-gram together.
    """

    word: str
    order: int
    joined: bool


@dataclass(frozen=True, slots=True)
class NgramUse:
    """One n-gram of the hypothesis, at one place.

    Attributes:
        words: the n-gram.
        start: the place of its first word in the hypothesis.
        verdict: "counted"; "clipped" if it is said more often than any reference says it; or
            "absent" from all references.
        found_in: the references that have it, numbered from 0.
    """

    words: tuple[str, ...]
    start: int
    verdict: Verdict
    found_in: tuple[int, ...]


@dataclass(frozen=True)
class BleuDrawing:
    """A hypothesis beside its references, and its score.

    Attributes:
        hypothesis: its words, each marked by the longest match through it.
        references: likewise, marked by what the hypothesis shares with each.
        ngrams: for orders 1 to 4, every n-gram of the hypothesis from left to right.
        score: BLEU-1 to BLEU-4 with the numbers they are made of.
        nearest: the reference whose length counts, numbered from 0.
    """

    hypothesis: tuple[MarkedWord, ...]
    references: tuple[tuple[MarkedWord, ...], ...]
    ngrams: tuple[tuple[NgramUse, ...], ...]
    score: BleuScore
    nearest: int


def draw_bleu(hypothesis: str, references: Sequence[str]) -> BleuDrawing:
    """Lay BLEU of one caption open.

    Args:
        hypothesis: a caption as it is written.
        references: at least one, likewise.

    Raises:
        ConfigError: there is no reference.

    >>> drawing = draw_bleu("the red the kite", ["The red kite.", "a kite"])
    >>> [(use.words, use.verdict) for use in drawing.ngrams[0]][2]
    (('the',), 'clipped')
    >>> [word.order for word in drawing.references[0]]
    [2, 2, 1]
    """
    said = tokenize(hypothesis)
    truth = [tokenize(reference) for reference in references]
    score = bleu_from_statistics(bleu_statistics(said, truth, max_order=MAX_ORDER))
    shared = [_shared(said, reference) for reference in truth]
    marked = [_mark(reference, grams) for reference, grams in zip(truth, shared, strict=True)]
    sizes = [len(reference) for reference in truth]
    return BleuDrawing(
        hypothesis=_mark(said, set().union(*shared)),
        references=tuple(marked),
        ngrams=tuple(_uses(said, truth, order) for order in range(1, MAX_ORDER + 1)),
        score=score,
        nearest=sizes.index(score.reference_length),
    )


def sentence_scores(hypothesis: str, references: Sequence[str]) -> tuple[float, ...]:
    """Return BLEU-1 to BLEU-4 of one caption, x100.

    Raises:
        ConfigError: there is no reference.
    """
    truth = [tokenize(reference) for reference in references]
    score = bleu_from_statistics(bleu_statistics(tokenize(hypothesis), truth, max_order=MAX_ORDER))
    return tuple(100 * value for value in score.bleu)


def _grams(words: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]


def _shared(said: Sequence[str], reference: Sequence[str]) -> set[tuple[str, ...]]:
    """Return the n-grams of orders 1 to 4 that both have."""
    return {
        gram
        for order in range(1, MAX_ORDER + 1)
        for gram in set(_grams(said, order)) & set(_grams(reference, order))
    }


def _mark(words: Sequence[str], shared: set[tuple[str, ...]]) -> tuple[MarkedWord, ...]:
    """Mark each word with the order of the longest shared n-gram through it, 0 for none."""
    orders = [0] * len(words)
    for order in range(1, MAX_ORDER + 1):
        for start, gram in enumerate(_grams(words, order)):
            if gram in shared:
                orders[start : start + order] = [order] * order
    joined = [False] + [gram in shared for gram in _grams(words, 2)]
    return tuple(map(MarkedWord, words, orders, joined))


def _uses(said: Sequence[str], truth: Sequence[Sequence[str]], order: int) -> tuple[NgramUse, ...]:
    """List the n-grams of one order; the first ones said are counted, those beyond are clipped."""
    allowed = {g: c.clipped for g, c in clip_ngrams(said, truth, max_order=order).items()}
    having = [set(_grams(reference, order)) for reference in truth]
    used: Counter[tuple[str, ...]] = Counter()
    uses = []
    for start, gram in enumerate(_grams(said, order)):
        found_in = tuple(number for number, grams in enumerate(having) if gram in grams)
        verdict: Verdict = "absent" if not found_in else "clipped"
        if used[gram] < allowed[gram]:
            verdict = "counted"
        used[gram] += 1
        uses.append(NgramUse(gram, start, verdict, found_in))
    return tuple(uses)
