"""Attention step by step: the formula with its numbers, and weights that a student chooses.

Shapes: R regions, H heads, V vocabulary, U units.
"""

from dataclasses import dataclass

import numpy as np

from captioning.errors import QueryError
from captioning.lessons.latex import numeral, signed
from captioning.lessons.numpy_decoder import Look, Memory, PlainDecoder, State, WordStep

_SHOWN_TERMS = 3


@dataclass(frozen=True)
class Box:
    """A rectangle of regions, counted from the top left corner of the photo.

    Attributes:
        top: its first row, from 0.
        left: its first column, from 0.
        height: in regions, at least 1.
        width: in regions, at least 1.
    """

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class LookFormulas:
    """How one head weighs one region, as LaTeX with the numbers put in.

    Attributes:
        product: query times key, the first of its terms written out.
        score: the product over the root of its size.
        weight: the softmax over all regions.
    """

    product: str
    score: str
    weight: str


def box_look(grid: tuple[int, int], box: Box) -> np.ndarray:
    """Return attention weights that are equal in a rectangle and 0 elsewhere.

    Args:
        grid: rows and columns of regions.
        box: the rectangle.

    Returns:
        float64 `(R,)`, row by row; sums to 1.

    Raises:
        QueryError: the rectangle is empty or leaves the photo.
    """
    rows, columns = grid
    inside = 0 <= box.top < box.top + box.height <= rows
    if not (inside and 0 <= box.left < box.left + box.width <= columns):
        raise QueryError(
            f"The photo has {rows} rows and {columns} columns of regions; a look of "
            f"{box.height} x {box.width} regions from row {box.top + 1}, column {box.left + 1} "
            "does not lie on it. Move it or make it smaller."
        )
    look = np.zeros(grid)
    look[box.top : box.top + box.height, box.left : box.left + box.width] = 1.0
    even: np.ndarray = (look / look.sum()).ravel()
    return even


def words_by_region(decoder: PlainDecoder, memory: Memory, token: int, state: State) -> np.ndarray:
    """Return the next word's probabilities when the decoder looks at each region alone.

    Args:
        decoder: with attention.
        memory: of one photo.
        token: the word read last.
        state: before it.

    Returns:
        float64 `(R, V)`, natural logarithms of the next word's probabilities.

    Raises:
        QueryError: the decoder has no attention.
    """
    if memory.keys is None:
        raise QueryError(
            f"A decoder of kind {decoder.config.kind} has no attention, so it cannot look at one "
            "region alone."
        )
    regions = memory.keys.shape[2]
    hidden, cell = (np.repeat(part[:1], regions, axis=0) for part in state)
    alone = np.eye(regions)[:, None]
    step = decoder.step(np.full(regions, token), (hidden, cell), memory, force=alone)
    return step.log_probs


def look_formulas(step: WordStep, memory: Memory, head: int, region: int) -> LookFormulas:
    """Write how one head weighs one region.

    Args:
        step: a word read, of one sentence.
        memory: of its photo.
        head: which head, from 0.
        region: which region, from 0.

    Raises:
        QueryError: the decoder has no attention.
    """
    look, keys = step.look, memory.keys
    if look is None or keys is None:
        raise QueryError("A decoder without attention weighs no regions.")
    query, key = look.query[0, head], keys[0, head, region]
    terms = " + ".join(
        rf"{signed(q)} \cdot {signed(k)}"
        for q, k in zip(query[:_SHOWN_TERMS], key[:_SHOWN_TERMS], strict=True)
    )
    rest = r" + \dots" if len(query) > _SHOWN_TERMS else ""
    score = float(look.scores[0, head, region])
    product, name = numeral(float(query @ key)), rf"q \cdot k_{{{region + 1}}}"
    return LookFormulas(
        product=rf"{name} = {terms}{rest} = {product}",
        score=rf"e_{{{region + 1}}} = \frac{{{name}}}{{\sqrt{{{len(query)}}}}} "
        rf"= \frac{{{product}}}{{{numeral(np.sqrt(len(query)))}}} = {numeral(score)}",
        weight=_softmax_formula(look, head, region),
    )


def _softmax_formula(look: Look, head: int, region: int) -> str:
    scores = look.scores[0, head]
    # The largest score is subtracted first, as in the computation: the shares are the same.
    shifted = np.exp(scores - scores.max())
    return (
        rf"\alpha_{{{region + 1}}} = \frac{{e^{{{numeral(scores[region])} - "
        rf"{signed(scores.max())}}}}}{{\sum_{{r=1}}^{{{len(scores)}}} e^{{e_r - "
        rf"{signed(scores.max())}}}}} = \frac{{{numeral(shifted[region])}}}"
        rf"{{{numeral(shifted.sum())}}} = {numeral(shifted[region] / shifted.sum())}"
    )
