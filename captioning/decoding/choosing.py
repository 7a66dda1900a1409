"""How a step of a search chooses its next words: the best ones, or drawn ones.

Shapes: B photos, K beams, V vocabulary, C required words, W the beam width asked for.  A beam
search with required words keeps C + 1 banks of W beams, one for each number of them said so far, so
K = W (C + 1); without, there is one bank and K = W.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from captioning.decoding.hypotheses import DEAD
from captioning.vocabulary import EOS

__all__ = ["Choice", "Choose", "Moment", "choose_best", "draw_among", "draw_from_all"]


@dataclass(frozen=True)
class Moment:
    """What is to be chosen from at one step.

    Attributes:
        t: the step, a scalar.
        scores: float32 `(B, K)`, summed log-probabilities of the beams.
        log_probs: float32 `(B, K, V)`, of the next word, as the model has them.
        block: `(B, K, V)` or fewer axes, 0 where a word may be said and `DEAD` where not.
        room: int32 `(B,)`, sentences that may still end.
        steps_left: steps after this one, a scalar.
        met: float32 `(B, K, C)`, 1 for each required word a beam has said; None if none is wanted.
        required: int32 `(C,)`.
    """

    t: Any
    scores: Any
    log_probs: Any
    block: Any
    room: Any
    steps_left: Any
    met: Any
    required: Any


@dataclass(frozen=True)
class Choice:
    """The next beams, each `(B, K)`, and for a beam search the likeliest words `(B, 2K)`."""

    scores: Any
    parents: Any
    tokens: Any
    near: tuple[Any, Any, Any] | None = None


Choose = Callable[[Moment], Choice]


def choose_best(moment: Moment, width: int) -> Choice:
    """Keep the `width` best continuations in each bank.

    Reference:
        Hokamp and Liu, "Lexically Constrained Decoding for Sequence Generation Using Grid Beam
        Search", ACL 2017, https://arxiv.org/abs/1704.07138
    """
    totals = moment.scores[:, :, None] + moment.log_probs + moment.block
    if moment.met is None:
        return _best_of_bank(totals, moment.room, width)
    said, wanted = _required_said(moment), moment.met.shape[-1]
    banks = []
    for number in range(wanted + 1):
        # A beam that cannot say all it must in the steps left is given up.
        in_time = wanted - number <= moment.steps_left
        belongs = ops.logical_and(said == number, in_time)
        if number < wanted:  # may not end yet
            belongs = ops.logical_and(belongs, ops.arange(totals.shape[-1]) != EOS)
        room = moment.room if number == wanted else ops.full_like(moment.room, width)
        banks.append(_best_of_bank(ops.where(belongs, totals, 2 * DEAD), room, width))
    return _side_by_side(banks)


def draw_among(moment: Moment, draws: Any, temperature: Any, top_k: Any, top_p: Any) -> Choice:
    """Draw among the likeliest words; `draws` `(T, 1, K)` are numbers in [0, 1)."""
    heated = ops.softmax((moment.log_probs + moment.block) / temperature, axis=-1)
    shares, order = ops.top_k(heated, heated.shape[-1])
    before = ops.cumsum(shares, axis=-1) - shares
    rank = ops.arange(heated.shape[-1])
    kept = ops.logical_and(ops.logical_and(before < top_p, rank < top_k), shares > 0.0)
    sums = ops.cumsum(ops.where(kept, shares, 0.0), axis=-1)
    point = ops.take(draws, moment.t, axis=0)[:, :, None] * sums[:, :, -1:]
    place = ops.sum(ops.cast(sums <= point, "int32"), axis=-1)
    place = ops.minimum(place, ops.sum(ops.cast(kept, "int32"), axis=-1) - 1)
    return _extended(moment, ops.take_along_axis(order, place[:, :, None], axis=-1))


def draw_from_all(moment: Moment, draws: Any) -> Choice:
    """Draw among all words, which needs no sorting; `draws` `(T, B, K)`."""
    sums = ops.cumsum(ops.exp(moment.log_probs), axis=-1)
    point = ops.take(draws, moment.t, axis=0)[:, :, None] * sums[:, :, -1:]
    tokens = ops.sum(ops.cast(sums <= point, "int32"), axis=-1, keepdims=True)
    return _extended(moment, ops.minimum(tokens, sums.shape[-1] - 1))


def _required_said(moment: Moment) -> Any:
    """Count the required words each beam will have said after each word, `(B, K, V)`."""
    words = ops.one_hot(moment.required, moment.log_probs.shape[-1])
    fresh = ops.einsum("bkc,cv->bkv", 1.0 - moment.met, words)
    return ops.sum(moment.met, axis=-1)[:, :, None] + fresh


def _best_of_bank(totals: Any, room: Any, width: int) -> Choice:
    """Keep the best of `totals` `(B, K, V)`, as many as there is room for."""
    vocabulary = totals.shape[-1]
    flat = ops.reshape(totals, (-1, totals.shape[1] * vocabulary))
    best, places = ops.top_k(flat, 2 * width)
    # A sentence that has ended keeps its place, so the others share what is left.
    kept = ops.arange(2 * width)[None] < room[:, None]
    parents, tokens = places // vocabulary, places % vocabulary
    return Choice(
        scores=ops.where(kept, best, DEAD)[:, :width],
        parents=parents[:, :width],
        tokens=tokens[:, :width],
        near=(tokens, parents, ops.where(kept, DEAD, best)),
    )


def _side_by_side(banks: list[Choice]) -> Choice:
    near = zip(*[bank.near for bank in banks if bank.near], strict=True)
    return Choice(
        scores=ops.concatenate([bank.scores for bank in banks], axis=1),
        parents=ops.concatenate([bank.parents for bank in banks], axis=1),
        tokens=ops.concatenate([bank.tokens for bank in banks], axis=1),
        near=tuple(ops.concatenate(parts, axis=1) for parts in near),  # type: ignore[arg-type]
    )


def _extended(moment: Moment, tokens: Any) -> Choice:
    """Go on with drawn `tokens` `(B, K, 1)`, each sentence by itself."""
    gained = ops.take_along_axis(moment.log_probs, tokens, axis=-1)[:, :, 0]
    scores = ops.where(moment.scores > DEAD / 2, moment.scores + gained, DEAD)
    parents = ops.zeros_like(tokens[:, :, 0]) + ops.arange(tokens.shape[1], dtype="int32")
    return Choice(scores=scores, parents=parents, tokens=tokens[:, :, 0])
