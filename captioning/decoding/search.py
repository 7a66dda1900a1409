"""Greedy search, beam search and sampling over a batch of photos, with any `StepModel`.

A search keeps K beams, the partial sentences, for each of B photos.  It records which beam
continued which, and follows them back once at the end (`Trace`).  It stops when all beams of all
photos have ended.

Shapes: B photos, K beams, V vocabulary, n words that the step returns, C required words, W the
beam width.  A beam search with required words keeps C + 1 banks of W beams, one for each number
of required words used so far, so K = W (C + 1); otherwise there is one bank and K = W.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from captioning.config import DecodingConfig
from captioning.decoding.hypotheses import NEG_INF, Hypothesis, Trace, read_hypotheses
from captioning.decoding.steering import NO_STEERING, Steering, WordMask, read_steering
from captioning.decoding.step import StepModel
from captioning.errors import ConfigError
from captioning.vocabulary import BOS, EOS, Vocabulary


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


class CaptionSearch:
    """Searches for the captions of one decoder.

    Args:
        model: the decoder; its weights may change between calls.
        vocabulary: of the decoder; needed for settings that contain words.
    """

    def __init__(self, model: StepModel, *, vocabulary: Vocabulary | None = None) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def search(self, features: np.ndarray, config: DecodingConfig) -> list[list[Hypothesis]]:
        """Find the captions of a batch of photos.

        Args:
            features: `(B, R, D)` or `(B, D)`, any float type.
            config: the decoding settings.

        Returns:
            The hypotheses of each photo, best first: `beam_width` of them, or `samples`.

        Raises:
            ConfigError: a required word is unknown, or the constraints cannot be met.
        """
        return read_hypotheses(self.trace(features, config), length_penalty=config.length_penalty)

    def trace(self, features: np.ndarray, config: DecodingConfig) -> Trace:
        """Run the search and return all beams that it kept.

        Raises:
            ConfigError: a required word is unknown, or the constraints cannot be met.
        """
        steering = self._steering(config)
        if config.strategy == "beam":
            width = config.beam_width
            return self._run(features, partial(choose_best, width=width), steering, width)
        # The same random numbers for every photo: its caption must not depend on the batch.
        shape = (self.model.max_length, 1, config.samples)
        draw = partial(
            draw_among,
            draws=np.random.default_rng(config.seed).random(shape).astype(np.float32),
            temperature=config.temperature,
            top_k=config.top_k or self.model.vocabulary_size,
            top_p=config.top_p,
        )
        return self._run(features, draw, steering, config.samples, drawn=True)

    def _steering(self, config: DecodingConfig) -> Steering:
        if self.vocabulary is not None:
            return read_steering(config, self.vocabulary, max_length=self.model.max_length)
        if config.prefix or config.required_words or config.banned_words:
            raise ConfigError("This search has no vocabulary, so no words can be set for it.")
        return Steering(no_repeat=config.no_repeat)

    def _run(
        self,
        features: np.ndarray,
        choose: Choose,
        steering: Steering,
        width: int,
        *,
        drawn: bool = False,
    ) -> Trace:
        """Search word by word until every beam has ended."""
        model, steps, photos = self.model, self.model.max_length, len(features)
        mask = WordMask(steering, model.vocabulary_size)
        required = np.array(steering.required, np.int64)
        # A beam search without constraints needs only the most likely words of each beam.
        top = None if drawn or steering != NO_STEERING else min(2 * width, model.vocabulary_size)
        beginning = model.begin(np.asarray(features, np.float32))
        beams = _Beams.at_start(photos, width, len(required), all_begin=drawn)
        record = _Record(steps, *beams.scores.shape, near=not drawn)
        # Before the first word all beams of a photo are equal, so only one is computed.
        state, rows = beginning.state, np.arange(photos)
        tokens = np.full((photos, 1), BOS, np.int64)
        for t in range(steps):
            step = model.step(beginning.memory, state, rows, tokens, top=top)
            selection = choose(
                Candidates(
                    t=t,
                    scores=beams.scores,
                    log_probs=_for_each(step.log_probs, beams.scores),
                    words=None if step.words is None else _for_each(step.words, beams.scores),
                    block=mask.at(t, beams.words_so_far),
                    slots_left=beams.slots_left,
                    steps_left=steps - 1 - t,
                    satisfied=beams.satisfied,
                    required=required,
                )
            )
            record.write(t, selection)
            beams = beams.after(selection, required)
            if not (beams.scores > NEG_INF / 2).any():
                break
            copies = tokens.shape[1]
            parents = np.minimum(selection.parents, copies - 1)
            rows = (np.arange(photos)[:, None] * copies + parents).ravel()
            state, tokens = step.state, selection.tokens
        return record.trace()


@dataclass(frozen=True)
class _Beams:
    """The state of the beams between two steps.

    Attributes:
        scores: float32 `(B, K)`, `NEG_INF` for unused beams.
        slots_left: int64 `(B,)`, number of sentences that may still end.
        satisfied: bool `(B, K, C)`, the required words used so far.
        words_so_far: int64 `(B, K, t)`, all words so far.
    """

    scores: np.ndarray
    slots_left: np.ndarray
    satisfied: np.ndarray
    words_so_far: np.ndarray

    @classmethod
    def at_start(cls, photos: int, width: int, wanted: int, *, all_begin: bool) -> "_Beams":
        """Return the initial state: one active beam for a beam search, all for sampling."""
        beams = width * (wanted + 1)
        scores = np.zeros((photos, beams), np.float32)
        if not all_begin:
            scores[:, 1:] = NEG_INF
        return cls(
            scores=scores,
            slots_left=np.full(photos, width),
            satisfied=np.zeros((photos, beams, wanted), bool),
            words_so_far=np.zeros((photos, beams, 0), np.int64),
        )

    def after(self, selection: Selection, required: np.ndarray) -> "_Beams":
        """Return the beams after a selection, without finished ones."""
        alive = selection.scores > NEG_INF / 2
        ended = alive & (selection.tokens == EOS)
        slots_left = self.slots_left - ended.sum(axis=1)
        done = ended | ~alive | (slots_left <= 0)[:, None]
        parents, tokens = selection.parents[:, :, None], selection.tokens[:, :, None]
        words_so_far = np.take_along_axis(self.words_so_far, parents, axis=1)
        satisfied = np.take_along_axis(self.satisfied, parents, axis=1)
        return _Beams(
            scores=np.where(done, np.float32(NEG_INF), selection.scores),
            slots_left=slots_left,
            satisfied=satisfied | (tokens == required),
            words_so_far=np.concatenate([words_so_far, tokens], axis=2),
        )


class _Record:
    """Records the choices of all steps."""

    def __init__(self, steps: int, photos: int, beams: int, *, near: bool) -> None:
        self._kept: list[np.ndarray] = []
        for places in (beams, 2 * beams) if near else (beams,):
            shape = (steps, photos, places)
            self._kept += [np.zeros(shape, np.int32), np.zeros(shape, np.int32)]
            self._kept += [np.full(shape, NEG_INF, np.float32)]

    def write(self, step: int, selection: Selection) -> None:
        """Record the selection of one step."""
        chosen = (selection.tokens, selection.parents, selection.scores, *(selection.near or ()))
        for kept, values in zip(self._kept, chosen, strict=True):
            kept[step] = values

    def trace(self) -> Trace:
        """Return the trace; steps that were not needed have no beams."""
        return Trace(*self._kept)


def _for_each(values: np.ndarray, beams: np.ndarray) -> np.ndarray:
    """Broadcast `(B, 1 or K, n)` to one row per beam, for `beams` `(B, K)`."""
    return np.broadcast_to(values, (*beams.shape, values.shape[-1]))


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
