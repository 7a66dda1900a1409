"""BLEU as a formula, smoothed BLEU, and what the mistakes of tutorials do to a score.

The formulas use only the LaTeX that matplotlib supports, so that a worksheet can print them.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from captioning.errors import ConfigError
from captioning.metrics import BleuScore, corpus_bleu
from captioning.metrics.ngrams import MAX_ORDER
from captioning.text import tokenize

EPSILON = 0.1
SMOOTHINGS = ("none", "epsilon", "add one")

Words = list[str]
Split = Callable[[str], Words]


@dataclass(frozen=True, slots=True)
class ScoredAs:
    """The same captions under one way of scoring.

    Attributes:
        title: what was done.
        why: where the difference comes from, one sentence.
        bleu: BLEU-1 to BLEU-4, x100.
    """

    title: str
    why: str
    bleu: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Smoothed:
    """BLEU-4 of one caption with its precisions smoothed.

    Attributes:
        method: one of `SMOOTHINGS`.
        fractions: numerator and denominator for the orders 1 to 4, after smoothing.
        brevity_penalty: as in BLEU.
        bleu: BLEU-4, x100.
    """

    method: str
    fractions: tuple[tuple[float, float], ...]
    brevity_penalty: float
    bleu: float


def smooth_bleu(score: BleuScore, method: str) -> Smoothed:
    """Compute BLEU-4 again with smoothed precisions.

    Args:
        score: of one caption, with four precisions.
        method: "none"; "epsilon" puts 0.1 in the place of a count of 0 (nltk's method 1);
            "add one" adds 1 above and below for 2 to 4 words (nltk's method 2, after Lin and Och
            2004, https://aclanthology.org/C04-1072/).

    Raises:
        ConfigError: there is no such method.
    """
    if method not in SMOOTHINGS:
        raise ConfigError(f"There is no smoothing {method!r}. Known: {', '.join(SMOOTHINGS)}.")
    fractions = []
    # Without a single word in common nothing is patched: that caption's score is 0, as in nltk.
    matched = score.precisions[0].clipped > 0
    for order, precision in enumerate(score.precisions, start=1):
        above, below = float(precision.clipped), float(precision.total)
        if method == "epsilon" and above == 0 and matched:
            above = EPSILON
        if method == "add one" and order > 1:
            above, below = above + 1, below + 1
        fractions.append((above, below))
    product = math.prod(n / d for n, d in fractions)
    bleu = 100 * score.brevity_penalty * product ** (1 / len(fractions))
    return Smoothed(method, tuple(fractions), score.brevity_penalty, bleu)


def score_as_tutorials_do(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> list[ScoredAs]:
    """Score the same captions rightly and with each common slip.

    Args:
        hypotheses: one caption a photo, raw.
        references: for each photo its references, raw.

    Returns:
        The protocol of this project first, then one entry per mistake.

    Raises:
        ConfigError: there is no photo, or one has no reference.
    """
    right = _corpus(hypotheses, references, tokenize)
    return [
        ScoredAs(
            "As it should be", "All words, lower case, no punctuation, all references.", right
        ),
        _weights(right, hypotheses, references),
        ScoredAs(
            "Start and end marks counted",
            "Two words that always match are added to every sentence.",
            _corpus(hypotheses, references, _marked),
        ),
        ScoredAs(
            "One-letter words and digits dropped",
            "'a' is the easiest word to get right, and it is gone from both sides.",
            _corpus(hypotheses, references, _long_words),
        ),
        ScoredAs(
            "Capitals and full stops kept",
            "'Dog.' and 'dog' no longer match.",
            _corpus(hypotheses, references, str.split),
        ),
        ScoredAs(
            "Only the first reference",
            "The same meaning in other words no longer counts.",
            _corpus(hypotheses, [texts[:1] for texts in references], tokenize),
        ),
        ScoredAs(
            "Text in place of lists of words",
            "Letters are counted as if they were words.",
            _corpus(hypotheses, references, list),
        ),
        ScoredAs(
            "Mean over sentences, smoothed",
            "A mean of scores, each patched where it was 0, is not the score of the whole.",
            _mean_of_sentences(hypotheses, references),
        ),
    ]


def _corpus(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], split: Split
) -> tuple[float, ...]:
    words = [split(text) for text in hypotheses]
    truth = [[split(text) for text in texts] for texts in references]
    return tuple(100 * value for value in corpus_bleu(words, truth).bleu)


def _weights(
    right: tuple[float, ...], hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> ScoredAs:
    """BLEU-3 with the weights (0.3, 0.3, 0.3): they sum to 0.9, so the root is too shallow."""
    words = [tokenize(text) for text in hypotheses]
    score = corpus_bleu(words, [[tokenize(text) for text in texts] for texts in references])
    product = math.prod(precision.value for precision in score.precisions[:3])
    third = 100 * score.brevity_penalty * product**0.3
    why = "The three weights sum to 0.9 and not to 1, which lifts BLEU-3 and nothing else."
    return ScoredAs("Weights 0.3, 0.3, 0.3 for BLEU-3", why, (*right[:2], third, right[3]))


def _mean_of_sentences(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, ...]:
    sums = [0.0] * 4
    for text, texts in zip(hypotheses, references, strict=True):
        score = corpus_bleu([tokenize(text)], [[tokenize(other) for other in texts]])
        fractions = smooth_bleu(score, "epsilon").fractions
        for order in range(1, 5):
            product = math.prod(n / d for n, d in fractions[:order])
            sums[order - 1] += score.brevity_penalty * product ** (1 / order)
    return tuple(100 * total / len(hypotheses) for total in sums)


def _marked(text: str) -> Words:
    return ["startseq", *tokenize(text), "endseq"]


def _long_words(text: str) -> Words:
    return [word for word in tokenize(text) if len(word) > 1 and word.isalpha()]


def bleu_formula(score: BleuScore, order: int) -> str:
    r"""Write BLEU-`order` of one sentence: penalty times the root of the precisions' product.

    Raises:
        ConfigError: the order is not 1 to 4.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ConfigError(f"There is BLEU-1 to BLEU-{MAX_ORDER}, not BLEU-{order}.")
    fractions = _product((float(p.clipped), float(p.total)) for p in score.precisions[:order])
    root = rf"\left({fractions}\right)^{{1/{order}}}" if order > 1 else fractions
    value = score.bleu[order - 1]
    return rf"\mathrm{{BLEU}}_{order} = {score.brevity_penalty:.4f} \cdot {root} = {value:.4f}"


def penalty_formula(score: BleuScore) -> str:
    r"""Write the brevity penalty from the two lengths."""
    length, wanted = score.hypothesis_length, score.reference_length
    if length > wanted:
        return rf"c = {length} > r = {wanted} \Rightarrow BP = 1"
    if length == 0:
        return r"c = 0 \Rightarrow BP = 0"
    return (
        rf"c = {length} \leq r = {wanted} \Rightarrow "
        rf"BP = e^{{1 - {wanted}/{length}}} = {score.brevity_penalty:.4f}"
    )


def smoothed_formula(smoothed: Smoothed) -> str:
    r"""Write BLEU-4 from smoothed precisions."""
    return (
        rf"{smoothed.brevity_penalty:.4f} \cdot \left({_product(smoothed.fractions)}\right)^{{1/4}}"
        rf" = {smoothed.bleu / 100:.4f}"
    )


def _product(fractions: Iterable[tuple[float, float]]) -> str:
    return r" \cdot ".join(rf"\frac{{{n:g}}}{{{d:g}}}" for n, d in fractions)
