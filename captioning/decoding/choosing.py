"""One step of a search: select the best next words, or sample them.

Shapes: B photos, K beams, V vocabulary, n words that the step returns, C required words, W the
beam width.  A beam search with required words keeps C + 1 banks of W beams, one for each number
of required words used so far, so K = W (C + 1); otherwise there is one bank and K = W.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from captioning.decoding.hypotheses import DEAD
from captioning.vocabulary import EOS

__all__ = ["Choice", "Choose", "Moment", "choose_best", "draw_among", "draw_from_all"]


@dataclass(frozen=True)
class Moment:
    """The candidates of one step.

    Attributes:
        t: the step.
        scores: float32 `(B, K)`, summed log-probabilities of the beams.
        log_probs: float32 `(B, K, n)`, the model's log-probabilities of the next word.
        words: int64 `(B, K, n)`, ids of these words; None for all V in order.
        block: `(B, K, V)` or fewer axes, 0 for allowed words and `DEAD` for others; None if all
            words are allowed.
        room: int64 `(B,)`, number of sentences that may still end.
        steps_left: steps after this one.
        met: bool `(B, K, C)`, the required words that a beam contains.
        required: int64 `(C,)`.
    """

    t: int
    scores: np.ndarray
    log_probs: np.ndarray
    words: np.ndarray | None
    block: np.ndarray | None
    room: np.ndarray
    steps_left: int
    met: np.ndarray
    required: np.ndarray

    @property
    def allowed(self) -> np.ndarray:
        """The log-probabilities, with `DEAD` for forbidden words."""
        return self.log_probs if self.block is None else self.log_probs + self.block


@dataclass(frozen=True)
class Choice:
    """The next beams, each `(B, K)`, and for a beam search the most likely words `(B, 2K)`."""

    scores: np.ndarray
    parents: np.ndarray
    tokens: np.ndarray
    near: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


Choose = Callable[[Moment], Choice]


def choose_best(moment: Moment, width: int) -> Choice:
    """Keep the `width` best continuations in each bank.

    Reference:
        Hokamp and Liu, "Lexically Constrained Decoding for Sequence Generation Using Grid Beam
        Search", ACL 2017, https://arxiv.org/abs/1704.07138
    """
    totals = moment.scores[:, :, None] + moment.allowed
    wanted = len(moment.required)
    if not wanted:
        return _best_of_bank(totals, moment.words, moment.room, width)
    said = _required_said(moment)
    banks = []
    for number in range(wanted + 1):
        # Drop a beam that cannot fit all required words into the remaining steps.
        belongs = (said == number) & (wanted - number <= moment.steps_left)
        if number < wanted:
            belongs[:, :, EOS] = False  # may not end yet
        room = moment.room if number == wanted else np.full_like(moment.room, width)
        totals_of_bank = np.where(belongs, totals, np.float32(2 * DEAD))
        banks.append(_best_of_bank(totals_of_bank, None, room, width))
    return _side_by_side(banks)


def draw_among(
    moment: Moment, draws: np.ndarray, temperature: float, top_k: int, top_p: float
) -> Choice:
    """Sample from the most likely words; `draws` `(T, 1, K)` are random numbers in [0, 1)."""
    heated = _softmax(moment.allowed / np.float32(temperature))
    order = np.argsort(-heated, axis=-1, kind="stable")
    shares = np.take_along_axis(heated, order, axis=-1)
    before = np.cumsum(shares, axis=-1) - shares
    kept = (before < top_p) & (np.arange(heated.shape[-1]) < top_k) & (shares > 0.0)
    sums = np.cumsum(np.where(kept, shares, np.float32(0.0)), axis=-1)
    place = (sums <= draws[moment.t][:, :, None] * sums[:, :, -1:]).sum(axis=-1)
    place = np.minimum(place, kept.sum(axis=-1) - 1)
    return _extended(moment, np.take_along_axis(order, place[:, :, None], axis=-1))


def draw_from_all(moment: Moment, draws: np.ndarray) -> Choice:
    """Sample from all words, which needs no sorting; `draws` `(T, B, K)` are in [0, 1)."""
    sums = np.cumsum(np.exp(moment.log_probs), axis=-1)
    point = draws[moment.t][:, :, None] * sums[:, :, -1:]
    tokens = (sums <= point).sum(axis=-1, keepdims=True)
    return _extended(moment, np.minimum(tokens, sums.shape[-1] - 1))


def _softmax(values: np.ndarray) -> np.ndarray:
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    heated: np.ndarray = shares / shares.sum(axis=-1, keepdims=True)
    return heated


def _required_said(moment: Moment) -> np.ndarray:
    """Count the required words that each beam contains after each next word, `(B, K, V)`."""
    said = np.zeros(moment.log_probs.shape, np.int64)
    said[:, :, moment.required] = ~moment.met
    said += moment.met.sum(axis=-1)[:, :, None]
    return said


def _best_of_bank(
    totals: np.ndarray, words: np.ndarray | None, room: np.ndarray, width: int
) -> Choice:
    """Keep the best of `totals` `(B, K, n)`, up to the number of free slots."""
    photos, beams, count = totals.shape
    flat = totals.reshape(photos, beams * count)
    if flat.shape[1] < 2 * width:  # fewer words than slots
        missing = ((0, 0), (0, 2 * width - flat.shape[1]))
        flat = np.pad(flat, missing, constant_values=2 * DEAD)
    places = _highest(flat, 2 * width)
    best = np.take_along_axis(flat, places, axis=1)
    places = np.minimum(places, beams * count - 1)
    parents, tokens = np.divmod(places, count)
    if words is not None:
        tokens = np.take_along_axis(words.reshape(photos, -1), places, axis=1)
    # A finished sentence keeps its slot, so the others share the remaining slots.
    kept = np.arange(2 * width) < room[:, None]
    dead = np.float32(DEAD)
    return Choice(
        scores=np.where(kept, best, dead)[:, :width],
        parents=parents[:, :width],
        tokens=tokens[:, :width],
        near=(tokens, parents, np.where(kept, dead, best)),
    )


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` highest values of each row, highest first."""
    places = np.arange(values.shape[1])[None]
    if values.shape[1] > 4 * count:  # otherwise sorting all is faster
        places = np.sort(np.argpartition(-values, count - 1, axis=1)[:, :count], axis=1)
        values = np.take_along_axis(values, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(np.broadcast_to(places, values.shape), order, axis=1)


def _side_by_side(banks: list[Choice]) -> Choice:
    near = zip(*[bank.near for bank in banks if bank.near], strict=True)
    return Choice(
        scores=np.concatenate([bank.scores for bank in banks], axis=1),
        parents=np.concatenate([bank.parents for bank in banks], axis=1),
        tokens=np.concatenate([bank.tokens for bank in banks], axis=1),
        near=tuple(np.concatenate(parts, axis=1) for parts in near),  # type: ignore[arg-type]
    )


def _extended(moment: Moment, tokens: np.ndarray) -> Choice:
    """Extend each sentence by its sampled token; `tokens` `(B, K, 1)`."""
    gained = np.take_along_axis(moment.log_probs, tokens, axis=-1)[:, :, 0]
    scores = np.where(moment.scores > DEAD / 2, moment.scores + gained, np.float32(DEAD))
    beams = tokens.shape[1]
    parents = np.broadcast_to(np.arange(beams), tokens.shape[:2])
    return Choice(scores=scores, parents=parents, tokens=tokens[:, :, 0])
