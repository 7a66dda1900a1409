"""Greedy, beam search and sampling over a batch of photos, with any model that reads word by word.

A search keeps, for each of B photos, K beams: the sentences begun so far.  Which beam continued
which is written down and followed back once at the end (`Trace`).  It stops when every beam of
every photo has ended.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from captioning.config import DecodingConfig
from captioning.decoding.choosing import (
    Choice,
    Choose,
    Moment,
    choose_best,
    draw_among,
    draw_from_all,
)
from captioning.decoding.hypotheses import DEAD, Hypothesis, Trace, read_hypotheses
from captioning.decoding.steering import NO_STEERING, Steering, WordMask, read_steering
from captioning.decoding.step import StepModel
from captioning.errors import ConfigError
from captioning.vocabulary import BOS, EOS, Vocabulary

__all__ = ["CaptionSearch"]


class CaptionSearch:
    """Search for the sentences of one decoder.

    Args:
        model: whose probabilities are searched; its weights may change between calls.
        vocabulary: the decoder's words; needed where settings name words.
    """

    def __init__(self, model: StepModel, *, vocabulary: Vocabulary | None = None) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def search(self, features: np.ndarray, config: DecodingConfig) -> list[list[Hypothesis]]:
        """Find the sentences of a batch of photos.

        Args:
            features: `(B, R, D)` or `(B, D)`, any float type.
            config: how to choose.

        Returns:
            For each photo its hypotheses, the best first: `beam_width` of them, or `samples`.

        Raises:
            ConfigError: a word asked for is unknown, or the wishes cannot be met.
        """
        return read_hypotheses(self.trace(features, config), length_penalty=config.length_penalty)

    def trace(self, features: np.ndarray, config: DecodingConfig) -> Trace:
        """Run the search and return every beam it kept.

        Raises:
            ConfigError: a word asked for is unknown, or the wishes cannot be met.
        """
        steering = self._steering(config)
        if config.strategy == "beam":
            width = config.beam_width
            return self._run(features, partial(choose_best, width=width), steering, width)
        # The same draws for every photo: a photo's sentence must not depend on its batch.
        shape = (self.model.max_length, 1, config.samples)
        draw = partial(
            draw_among,
            draws=np.random.default_rng(config.seed).random(shape).astype(np.float32),
            temperature=config.temperature,
            top_k=config.top_k or self.model.vocabulary_size,
            top_p=config.top_p,
        )
        return self._run(features, draw, steering, config.samples, drawn=True)

    def draw(self, features: np.ndarray, draws: np.ndarray) -> Trace:
        """Draw sentences from the decoder's own probabilities, no word left out but the unsayable.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            draws: float32 `(max_length, B, K)` in [0, 1): one number for each word of K sentences.
        """
        choose = partial(draw_from_all, draws=draws)
        return self._run(features, choose, NO_STEERING, draws.shape[-1], drawn=True)

    def _steering(self, config: DecodingConfig) -> Steering:
        if self.vocabulary is not None:
            return read_steering(config, self.vocabulary, max_length=self.model.max_length)
        if config.prefix or config.required_words or config.banned_words:
            raise ConfigError("This search knows no words, so it cannot be steered by any.")
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
        # An unsteered beam search needs no more than the likeliest words of each beam.
        top = None if drawn or steering != NO_STEERING else min(2 * width, model.vocabulary_size)
        beginning = model.begin(np.asarray(features, np.float32))
        beams = _Beams.at_start(photos, width, len(required), all_begin=drawn)
        record = _Record(steps, *beams.scores.shape, near=not drawn)
        # Before the first word all beams of a photo are the same: one is read for all of them.
        state, rows = beginning.state, np.arange(photos)
        tokens = np.full((photos, 1), BOS, np.int64)
        for t in range(steps):
            step = model.step(beginning.memory, state, rows, tokens, top=top)
            choice = choose(
                Moment(
                    t=t,
                    scores=beams.scores,
                    log_probs=_for_each(step.log_probs, beams.scores),
                    words=None if step.words is None else _for_each(step.words, beams.scores),
                    block=mask.at(t, beams.said),
                    room=beams.room,
                    steps_left=steps - 1 - t,
                    met=beams.met,
                    required=required,
                )
            )
            record.write(t, choice)
            beams = beams.after(choice, required)
            if not (beams.scores > DEAD / 2).any():
                break
            copies = tokens.shape[1]
            parents = np.minimum(choice.parents, copies - 1)
            rows = (np.arange(photos)[:, None] * copies + parents).ravel()
            state, tokens = step.state, choice.tokens
        return record.trace()


@dataclass(frozen=True)
class _Beams:
    """What goes from step to step.

    Attributes:
        scores: float32 `(B, K)`, `DEAD` where a beam is not in use.
        room: int64 `(B,)`, sentences that may still end.
        met: bool `(B, K, C)`, the required words said so far.
        said: int64 `(B, K, t)`, all words said so far.
    """

    scores: np.ndarray
    room: np.ndarray
    met: np.ndarray
    said: np.ndarray

    @classmethod
    def at_start(cls, photos: int, width: int, wanted: int, *, all_begin: bool) -> "_Beams":
        """Before the first word a beam search has one beam, while all draws begin."""
        beams = width * (wanted + 1)
        scores = np.zeros((photos, beams), np.float32)
        if not all_begin:
            scores[:, 1:] = DEAD
        return cls(
            scores=scores,
            room=np.full(photos, width),
            met=np.zeros((photos, beams, wanted), bool),
            said=np.zeros((photos, beams, 0), np.int64),
        )

    def after(self, choice: Choice, required: np.ndarray) -> "_Beams":
        """Return the beams after a choice: ended ones leave, the others inherit."""
        alive = choice.scores > DEAD / 2
        ended = alive & (choice.tokens == EOS)
        room = self.room - ended.sum(axis=1)
        done = ended | ~alive | (room <= 0)[:, None]
        parents, tokens = choice.parents[:, :, None], choice.tokens[:, :, None]
        said = np.take_along_axis(self.said, parents, axis=1)
        met = np.take_along_axis(self.met, parents, axis=1)
        return _Beams(
            scores=np.where(done, np.float32(DEAD), choice.scores),
            room=room,
            met=met | (tokens == required),
            said=np.concatenate([said, tokens], axis=2),
        )


class _Record:
    """Writes down what is chosen, step by step."""

    def __init__(self, steps: int, photos: int, beams: int, *, near: bool) -> None:
        self._kept: list[np.ndarray] = []
        for places in (beams, 2 * beams) if near else (beams,):
            shape = (steps, photos, places)
            self._kept += [np.zeros(shape, np.int32), np.zeros(shape, np.int32)]
            self._kept += [np.full(shape, DEAD, np.float32)]

    def write(self, step: int, choice: Choice) -> None:
        """Keep the choice of one step."""
        chosen = (choice.tokens, choice.parents, choice.scores, *(choice.near or ()))
        for kept, values in zip(self._kept, chosen, strict=True):
            kept[step] = values

    def trace(self) -> Trace:
        """Return what was written; steps that were not needed hold no beam."""
        return Trace(*self._kept)


def _for_each(values: np.ndarray, beams: np.ndarray) -> np.ndarray:
    """Broadcast `(B, 1 or K, n)` to one row for each of the beams `(B, K)`."""
    return np.broadcast_to(values, (*beams.shape, values.shape[-1]))
