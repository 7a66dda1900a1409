"""CIDEr-D of one caption step by step: n-gram weights, cosines, the score, and the formulas.

The formulas use only the LaTeX that matplotlib supports, so that a worksheet can print them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from captioning.errors import ConfigError
from captioning.metrics import DocumentFrequencies
from captioning.metrics.cider import SIGMA
from captioning.metrics.ngrams import MAX_ORDER, count_ngrams
from captioning.text import tokenize

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WeighedNgram:
    """One n-gram of the hypothesis and its weight.

    Attributes:
        words: the n-gram.
        count: how often the hypothesis has it.
        images: in the references of how many photos it occurs.
        rarity: natural logarithm of all photos over `images` (0 taken as 1); 0 for one that
            occurs with every photo.
        found_in: how many of this photo's references have it.
    """

    words: Words
    count: int
    images: int
    rarity: float
    found_in: int

    @property
    def weight(self) -> float:
        """Its tf-idf: how often the hypothesis has it times how rare it is."""
        return self.count * self.rarity


@dataclass(frozen=True, slots=True)
class Cosine:
    """How similar hypothesis and reference are in the n-grams of one order.

    Attributes:
        overlap: sum over shared n-grams of the smaller count times the reference's count times
            rarity squared.
        said_norm: length of the hypothesis' vector of tf-idf weights.
        own_norm: length of the reference's.
    """

    overlap: float
    said_norm: float
    own_norm: float

    @property
    def value(self) -> float:
        """The clipped cosine, 0 to 1; 0 without a shared n-gram."""
        return self.overlap / (self.said_norm * self.own_norm) if self.overlap else 0.0


@dataclass(frozen=True, slots=True)
class ReferenceMatch:
    """The hypothesis against one reference.

    Attributes:
        text: the reference, raw.
        cosines: for the orders 1 to 4.
        difference: words that the hypothesis is longer; below 0 if it is shorter.
        penalty: the Gaussian of that difference, 0 to 1.
    """

    text: str
    cosines: tuple[Cosine, ...]
    difference: int
    penalty: float

    @property
    def score(self) -> float:
        """The penalised mean of the cosines, 0 to 1."""
        return self.penalty * sum(cosine.value for cosine in self.cosines) / MAX_ORDER


@dataclass(frozen=True, slots=True)
class CiderDrawing:
    """A hypothesis, weighed.

    Attributes:
        ngrams: for orders 1 to 4, each different n-gram of the hypothesis once.
        references: each with how well the hypothesis matches it.
        photos: over how many photos rarity was counted.
    """

    ngrams: tuple[tuple[WeighedNgram, ...], ...]
    references: tuple[ReferenceMatch, ...]
    photos: int

    @property
    def cider(self) -> float:
        """CIDEr-D from 0 to 10."""
        return 10 * sum(match.score for match in self.references) / len(self.references)

    @property
    def nearest(self) -> int:
        """The reference that matches best, numbered from 0."""
        scores = [match.score for match in self.references]
        return scores.index(max(scores))


def draw_cider(
    hypothesis: str, references: Sequence[str], frequencies: DocumentFrequencies
) -> CiderDrawing:
    """Explain CIDEr-D of one caption.

    Args:
        hypothesis: a caption as it is written.
        references: at least one, likewise.
        frequencies: in the references of how many photos each n-gram of words occurs.

    Raises:
        ConfigError: there is no reference.

    Reference: Vedantam, Zitnick and Parikh, CVPR 2015, https://arxiv.org/abs/1411.5726
    """
    if not references:
        raise ConfigError("There is no reference to score against. Give at least one.")
    hypothesis_words = tokenize(hypothesis)
    truth = [tokenize(text) for text in references]
    matches = tuple(
        _match(hypothesis_words, words, text, frequencies)
        for words, text in zip(truth, references, strict=True)
    )
    return CiderDrawing(_weighed(hypothesis_words, truth, frequencies), matches, frequencies.images)


def _rarity(ngram: Words, frequencies: DocumentFrequencies) -> float:
    return math.log(frequencies.images / max(1, frequencies.counts.get(ngram, 0)))


def _of_order(words: Sequence[str], order: int) -> dict[Words, int]:
    counts = count_ngrams(words)
    return {tuple(map(str, gram)): n for gram, n in counts.items() if len(gram) == order}


def _match(
    hypothesis_words: Sequence[str],
    own: Sequence[str],
    text: str,
    frequencies: DocumentFrequencies,
) -> ReferenceMatch:
    cosines = []
    for order in range(1, MAX_ORDER + 1):
        mine, theirs = _of_order(hypothesis_words, order), _of_order(own, order)
        overlap = sum(
            min(mine[gram], count) * count * _rarity(gram, frequencies) ** 2
            for gram, count in theirs.items()
            if gram in mine
        )
        norms = (_norm(counts, frequencies) for counts in (mine, theirs))
        cosines.append(Cosine(overlap, *norms))
    difference = len(hypothesis_words) - len(own)
    penalty = math.exp(-(difference**2) / (2 * SIGMA**2))
    return ReferenceMatch(text, tuple(cosines), difference, penalty)


def _norm(counts: dict[Words, int], frequencies: DocumentFrequencies) -> float:
    return math.sqrt(sum((n * _rarity(gram, frequencies)) ** 2 for gram, n in counts.items()))


def _weighed(
    hypothesis_words: Sequence[str],
    truth: Sequence[Sequence[str]],
    frequencies: DocumentFrequencies,
) -> tuple[tuple[WeighedNgram, ...], ...]:
    having = [count_ngrams(words) for words in truth]
    return tuple(
        tuple(
            WeighedNgram(
                words=gram,
                count=count,
                images=frequencies.counts.get(gram, 0),
                rarity=_rarity(gram, frequencies),
                found_in=sum(gram in counts for counts in having),
            )
            for gram, count in _of_order(hypothesis_words, order).items()
        )
        for order in range(1, MAX_ORDER + 1)
    )


def weight_formula(drawing: CiderDrawing, ngram: WeighedNgram) -> str:
    r"""Write the tf-idf weight of one n-gram."""
    words = r"\ ".join(ngram.words)
    return (
        rf"w(\mathrm{{{words}}}) = {ngram.count} \cdot \ln\frac{{{drawing.photos}}}"
        rf"{{{max(1, ngram.images)}}} = {ngram.weight:.4f}"
    )


def reference_formula(drawing: CiderDrawing, number: int) -> str:
    r"""Write the score of one reference: length penalty times the mean of four cosines."""
    match = drawing.references[number]
    cosines = " + ".join(f"{cosine.value:.4f}" for cosine in match.cosines)
    gauss = rf"e^{{-({match.difference})^2 / (2 \cdot {SIGMA:g}^2)}}"
    return (
        rf"s_{{{number + 1}}} = {gauss} \cdot \frac{{1}}{{{MAX_ORDER}}} "
        rf"\cdot \left({cosines}\right) = {match.score:.4f}"
    )


def cider_formula(drawing: CiderDrawing) -> str:
    r"""Write CIDEr-D from the scores of the references."""
    scores = " + ".join(f"{match.score:.3f}" for match in drawing.references)
    return (
        rf"\mathrm{{CIDEr\!-\!D}} = \frac{{10}}{{{len(drawing.references)}}} "
        rf"\cdot \left({scores}\right) = {drawing.cider:.3f}"
    )
