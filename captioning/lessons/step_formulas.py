"""The formulas of a training step with the numbers of one sentence put in, as LaTeX."""

import math
from collections.abc import Sequence

from captioning.lessons.gradient_step import BiasStep, LearnedWord

__all__ = ["bias_formula", "loss_formula", "slope_formula"]

TERMS_A_LINE = 8


def loss_formula(words: Sequence[LearnedWord]) -> list[str]:
    r"""Write the loss before the first step: the mean of `-ln p` over the words and the end.

    Returns:
        One line for every eight words, so that a long sentence still fits a screen.
    """
    terms = [f"{-math.log(word.before):.3f}" for word in words]
    loss = math.fsum(-math.log(word.before) for word in words) / len(words)
    lines = [
        " + ".join(terms[start : start + TERMS_A_LINE])
        for start in range(0, len(terms), TERMS_A_LINE)
    ]
    lines = [*(f"{line} +" for line in lines[:-1]), lines[-1]]
    lines[0] = rf"L = \frac{{1}}{{{len(words)}}} \cdot ({lines[0]}"
    lines[-1] = f"{lines[-1]}) = {loss:.3f}"
    return lines


def slope_formula(step: BiasStep) -> str:
    r"""Write the slope of the loss by a word's bias: share given minus share said."""
    return rf"g = {step.share:.5f} - \frac{{{step.times}}}{{{step.places}}} = {step.gradient:.5f}"


def bias_formula(step: BiasStep, rate: float) -> str:
    r"""Write what one step does to a word's bias."""
    return (
        rf"b' = b - \eta \cdot g = {step.before:.5f} - {rate:g} \cdot ({step.gradient:.5f}) "
        rf"= {step.after:.5f}"
    )
