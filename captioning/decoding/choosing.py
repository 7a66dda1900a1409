"""One step of a search: select the best next words, or sample them.

Shapes: B photos, K beams, V vocabulary, n words that the step returns, C required words, W the
beam width.  A beam search with required words keeps C + 1 banks of W beams, one for each number
of required words used so far, so K = W (C + 1); otherwise there is one bank and K = W.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from captioning.decoding.hypotheses import NEG_INF
from captioning.vocabulary import EOS


@dataclass(frozen=True)
class Candidates:
    """The candidates of one step.

    Attributes:
        t: the step.
        scores: float32 `(B, K)`, summed log-probabilities of the beams.
        log_probs: float32 `(B, K, n)`, the model's log-probabilities of the next word.
        words: int64 `(B, K, n)`, ids of these words; None for all V in order.
        block: `(B, K, V)` or fewer axes, 0 for allowed words and `NEG_INF` for others; None if all
            words are allowed.
        slots_left: int64 `(B,)`, number of sentences that may still end.
        steps_left: steps after this one.
        satisfied: bool `(B, K, C)`, the required words that a beam contains.
        required: int64 `(C,)`.
    """

    t: int
    scores: np.ndarray
    log_probs: np.ndarray
    words: np.ndarray | None
    block: np.ndarray | None
    slots_left: np.ndarray
    steps_left: int
    satisfied: np.ndarray
    required: np.ndarray

    @property
    def allowed(self) -> np.ndarray:
        """The log-probabilities, with `NEG_INF` for forbidden words."""
        return self.log_probs if self.block is None else self.log_probs + self.block


@dataclass(frozen=True)
class Selection:
    """The next beams, each `(B, K)`, and for a beam search the most likely words `(B, 2K)`."""

    scores: np.ndarray
    parents: np.ndarray
    tokens: np.ndarray
    near: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


Choose = Callable[[Candidates], Selection]


def choose_best(candidates: Candidates, width: int) -> Selection:
    """Keep the `width` best continuations in each bank.

    Reference:
        Hokamp and Liu, "Lexically Constrained Decoding for Sequence Generation Using Grid Beam
        Search", ACL 2017, https://arxiv.org/abs/1704.07138
    """
    totals = candidates.scores[:, :, None] + candidates.allowed
    wanted = len(candidates.required)
    if not wanted:
        return _best_of_bank(totals, candidates.words, candidates.slots_left, width)
    used = _count_required(candidates)
    banks = []
    for number in range(wanted + 1):
        # Drop a beam that cannot fit all required words into the remaining steps.
        belongs = (used == number) & (wanted - number <= candidates.steps_left)
        if number < wanted:
            belongs[:, :, EOS] = False  # may not end yet
        slots_left = (
            candidates.slots_left
            if number == wanted
            else np.full_like(candidates.slots_left, width)
        )
        totals_of_bank = np.where(belongs, totals, np.float32(2 * NEG_INF))
        banks.append(_best_of_bank(totals_of_bank, None, slots_left, width))
    return _side_by_side(banks)


def draw_among(
    candidates: Candidates, draws: np.ndarray, temperature: float, top_k: int, top_p: float
) -> Selection:
    """Sample from the most likely words; `draws` `(T, 1, K)` are random numbers in [0, 1)."""
    heated = _softmax(candidates.allowed / np.float32(temperature))
    order = np.argsort(-heated, axis=-1, kind="stable")
    shares = np.take_along_axis(heated, order, axis=-1)
    before = np.cumsum(shares, axis=-1) - shares
    kept = (before < top_p) & (np.arange(heated.shape[-1]) < top_k) & (shares > 0.0)
    sums = np.cumsum(np.where(kept, shares, np.float32(0.0)), axis=-1)
    place = (sums <= draws[candidates.t][:, :, None] * sums[:, :, -1:]).sum(axis=-1)
    place = np.minimum(place, kept.sum(axis=-1) - 1)
    return _extended(candidates, np.take_along_axis(order, place[:, :, None], axis=-1))


def _softmax(values: np.ndarray) -> np.ndarray:
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    heated: np.ndarray = shares / shares.sum(axis=-1, keepdims=True)
    return heated


def _count_required(candidates: Candidates) -> np.ndarray:
    """Count the required words that each beam contains after each next word, `(B, K, V)`."""
    used = np.zeros(candidates.log_probs.shape, np.int64)
    used[:, :, candidates.required] = ~candidates.satisfied
    used += candidates.satisfied.sum(axis=-1)[:, :, None]
    return used


def _best_of_bank(
    totals: np.ndarray, words: np.ndarray | None, slots_left: np.ndarray, width: int
) -> Selection:
    """Keep the best of `totals` `(B, K, n)`, up to the number of free slots."""
    photos, beams, count = totals.shape
    flat = totals.reshape(photos, beams * count)
    places = _highest(flat, 2 * width)
    best = np.take_along_axis(flat, places, axis=1)
    parents, tokens = np.divmod(places, count)
    if words is not None:
        tokens = np.take_along_axis(words.reshape(photos, -1), places, axis=1)
    # A finished sentence keeps its slot, so the others share the remaining slots.
    kept = np.arange(2 * width) < slots_left[:, None]
    dead = np.float32(NEG_INF)
    return Selection(
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


def _side_by_side(banks: list[Selection]) -> Selection:
    near = zip(*[bank.near for bank in banks if bank.near], strict=True)
    return Selection(
        scores=np.concatenate([bank.scores for bank in banks], axis=1),
        parents=np.concatenate([bank.parents for bank in banks], axis=1),
        tokens=np.concatenate([bank.tokens for bank in banks], axis=1),
        near=tuple(np.concatenate(parts, axis=1) for parts in near),  # type: ignore[arg-type]
    )


def _extended(candidates: Candidates, tokens: np.ndarray) -> Selection:
    """Extend each sentence by its sampled token; `tokens` `(B, K, 1)`."""
    gained = np.take_along_axis(candidates.log_probs, tokens, axis=-1)[:, :, 0]
    scores = np.where(
        candidates.scores > NEG_INF / 2, candidates.scores + gained, np.float32(NEG_INF)
    )
    beams = tokens.shape[1]
    parents = np.broadcast_to(np.arange(beams), tokens.shape[:2])
    return Selection(scores=scores, parents=parents, tokens=tokens[:, :, 0])
