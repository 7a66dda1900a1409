"""Greedy search, beam search and sampling over a batch of photos, with any `StepModel`.

A search keeps K beams, the partial sentences, for each of B photos.  It records which beam
continued which, and follows them back once at the end (`Trace`).  It stops when all beams of all
photos have ended.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from captioning.config import DecodingConfig
from captioning.decoding.choosing import (
    Candidates,
    Choose,
    Selection,
    choose_best,
    draw_among,
)
from captioning.decoding.hypotheses import NEG_INF, Hypothesis, Trace, read_hypotheses
from captioning.decoding.steering import NO_STEERING, Steering, WordMask, read_steering
from captioning.decoding.step import StepModel
from captioning.errors import ConfigError
from captioning.vocabulary import BOS, EOS, Vocabulary


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
