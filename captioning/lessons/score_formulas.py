"""The formulas of BLEU and CIDEr-D with the numbers of one sentence put in, as LaTeX.

Only what matplotlib can set as well, so that a worksheet prints them.
"""

from collections.abc import Iterable

from captioning.errors import ConfigError
from captioning.lessons.cider_breakdown import CiderDrawing, WeighedNgram
from captioning.lessons.scoring_mistakes import Smoothed
from captioning.metrics import BleuScore
from captioning.metrics.cider import SIGMA
from captioning.metrics.ngrams import MAX_ORDER

__all__ = [
    "bleu_formula",
    "cider_formula",
    "penalty_formula",
    "reference_formula",
    "smoothed_formula",
    "weight_formula",
]


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
    said, meant = score.hypothesis_length, score.reference_length
    if said > meant:
        return rf"c = {said} > r = {meant} \Rightarrow BP = 1"
    if said == 0:
        return r"c = 0 \Rightarrow BP = 0"
    return (
        rf"c = {said} \leq r = {meant} \Rightarrow "
        rf"BP = e^{{1 - {meant}/{said}}} = {score.brevity_penalty:.4f}"
    )


def smoothed_formula(smoothed: Smoothed) -> str:
    r"""Write BLEU-4 from smoothed precisions."""
    return (
        rf"{smoothed.brevity_penalty:.4f} \cdot \left({_product(smoothed.fractions)}\right)^{{1/4}}"
        rf" = {smoothed.bleu / 100:.4f}"
    )


def weight_formula(drawing: CiderDrawing, ngram: WeighedNgram) -> str:
    r"""Write the tf-idf weight of one n-gram."""
    words = r"\ ".join(ngram.words)
    return (
        rf"w(\mathrm{{{words}}}) = {ngram.said} \cdot \ln\frac{{{drawing.photos}}}"
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


def _product(fractions: Iterable[tuple[float, float]]) -> str:
    return r" \cdot ".join(rf"\frac{{{n:g}}}{{{d:g}}}" for n, d in fractions)
