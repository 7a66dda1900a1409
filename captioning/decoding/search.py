"""Beam search and sampling as one compiled loop over a batch of photos.

The loop keeps, for each of B photos, K beams: the sentences begun so far.  Only their last words,
the LSTM's states and the scores go round; which beam continued which is written down and followed
back once at the end (`Trace`).  It stops when every beam of every photo has ended.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import compiled, to_numpy
from captioning.config import DecodingConfig
from captioning.decoders import Decoder
from captioning.decoding.hypotheses import DEAD, Hypothesis, Trace, read_hypotheses
from captioning.vocabulary import BOS, EOS, PAD, UNK

__all__ = ["CaptionSearch"]

# Chooses the next beams: (scores (B, K), log_probs (B, K, V), room (B,), t) -> scores, parents,
# tokens, each (B, K).
Choose = Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]


class CaptionSearch:
    """Search for the sentences of one decoder.

    A compiled loop is kept for each number of beams, so settings may change from call to call.

    Args:
        decoder: whose probabilities are searched; its weights may change between calls.
        xla: compile with XLA, which halves the time of a step and costs half a second per new
            shape; worthwhile where shapes repeat.
    """

    def __init__(self, decoder: Decoder, *, xla: bool = False) -> None:
        self.decoder = decoder
        self._xla = xla
        self._loops: dict[tuple[str, int], Callable[..., Any]] = {}

    def search(self, features: np.ndarray, config: DecodingConfig) -> list[list[Hypothesis]]:
        """Find the sentences of a batch of photos.

        Args:
            features: `(B, R, D)` or `(B, D)`, any float type.
            config: how to choose.

        Returns:
            For each photo its hypotheses, the best first: `beam_width` of them, or `samples`.
        """
        return read_hypotheses(self.trace(features, config), length_penalty=config.length_penalty)

    def trace(self, features: np.ndarray, config: DecodingConfig) -> Trace:
        """Run the search and return every beam it kept."""
        features = np.asarray(features, np.float32)
        if config.strategy == "sample":
            # The same draws for every photo: a photo's sentence must not depend on its batch.
            steps = self.decoder.config.max_length
            draws = np.random.default_rng(config.seed).random((steps, 1, config.samples))
            found = self._compiled("sample", config.samples)(
                features,
                draws.astype(np.float32),
                np.float32(config.temperature),
                np.int32(config.top_k or self.decoder.vocabulary_size),
                np.float32(config.top_p),
            )
        else:
            found = self._compiled("beam", config.beam_width)(features)
        return Trace(*map(to_numpy, found))

    def draw(self, features: np.ndarray, draws: np.ndarray) -> Trace:
        """Draw sentences from the decoder's own probabilities, no word left out but the unsayable.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            draws: float32 `(max_length, B, K)` in [0, 1): one number for each word of K sentences.
        """
        features = np.asarray(features, np.float32)
        return Trace(*map(to_numpy, self._compiled("draw", draws.shape[-1])(features, draws)))

    def _compiled(self, strategy: str, width: int) -> Callable[..., Any]:
        """Return the loop for so many beams, compiled once."""
        key = (strategy, width)
        if key not in self._loops:
            loops: dict[str, Callable[..., Any]] = {
                "beam": self._beam_loop,
                "sample": self._sample_loop,
                "draw": self._draw_loop,
            }
            self._loops[key] = compiled(
                partial(loops[strategy], width), self.decoder, xla=self._xla
            )
        return self._loops[key]

    def _beam_loop(self, width: int, features: Any) -> tuple[Any, Any, Any]:
        """Beam search; returns tokens, parents, scores, each `(T, B, width)`."""

        def choose(scores: Any, log_probs: Any, room: Any, t: Any) -> tuple[Any, Any, Any]:
            vocabulary = log_probs.shape[-1]
            totals = ops.reshape(scores[:, :, None] + log_probs, (-1, width * vocabulary))
            best, places = ops.top_k(totals, width)
            # A sentence that has ended keeps its place, so the others share what is left.
            best = ops.where(ops.arange(width)[None] < room[:, None], best, DEAD)
            return best, places // vocabulary, places % vocabulary

        return self._loop(features, width, choose, first_alone=True)

    def _sample_loop(
        self, width: int, features: Any, draws: Any, temperature: Any, top_k: Any, top_p: Any
    ) -> tuple[Any, Any, Any]:
        """Draw among the likeliest words; `draws` `(T, 1, width)` are numbers in [0, 1)."""

        def choose(scores: Any, log_probs: Any, room: Any, t: Any) -> tuple[Any, Any, Any]:
            heated = ops.softmax(log_probs / temperature, axis=-1)
            shares, order = ops.top_k(heated, log_probs.shape[-1])
            before = ops.cumsum(shares, axis=-1) - shares
            rank = ops.arange(log_probs.shape[-1])
            kept = ops.logical_and(before < top_p, rank < top_k)
            sums = ops.cumsum(ops.where(kept, shares, 0.0), axis=-1)
            point = ops.take(draws, t, axis=0)[:, :, None] * sums[:, :, -1:]
            place = ops.sum(ops.cast(sums <= point, "int32"), axis=-1)
            place = ops.minimum(place, ops.sum(ops.cast(kept, "int32"), axis=-1) - 1)
            tokens = ops.take_along_axis(order, place[:, :, None], axis=-1)
            return _extend(scores, log_probs, tokens)

        return self._loop(features, width, choose, first_alone=False)

    def _draw_loop(self, width: int, features: Any, draws: Any) -> tuple[Any, Any, Any]:
        """Draw among all words, which needs no sorting; `draws` `(T, B, width)`."""

        def choose(scores: Any, log_probs: Any, room: Any, t: Any) -> tuple[Any, Any, Any]:
            sums = ops.cumsum(ops.exp(log_probs), axis=-1)
            point = ops.take(draws, t, axis=0)[:, :, None] * sums[:, :, -1:]
            tokens = ops.sum(ops.cast(sums <= point, "int32"), axis=-1, keepdims=True)
            return _extend(scores, log_probs, ops.minimum(tokens, log_probs.shape[-1] - 1))

        return self._loop(features, width, choose, first_alone=False)

    def _loop(
        self, features: Any, width: int, choose: Choose, *, first_alone: bool
    ) -> tuple[Any, Any, Any]:
        """Go round until all beams have ended; returns tokens, parents, scores, each `(T, B, K)`.

        At the first step all beams are the same sentence, so a beam search must begin with
        `first_alone`, while independent draws all begin.
        """
        decoder, steps = self.decoder, self.decoder.config.max_length
        memory = decoder.remember(features)
        photos = ops.shape(features)[0]
        hidden, cell = decoder.initial_state(memory, width)
        scores = ops.zeros((photos, width))
        if first_alone:
            scores = scores + ops.where(ops.arange(width) == 0, 0.0, DEAD)
        tokens = ops.full((photos, width), BOS, dtype="int32")
        room = ops.full((photos,), width, dtype="int32")
        told = ops.zeros((steps, photos, width), dtype="int32")
        record = (told, told, ops.full((steps, photos, width), DEAD, dtype="float32"))
        unsayable = self._unsayable()

        def goes_on(t: Any, tokens: Any, hidden: Any, cell: Any, scores: Any, *_: Any) -> Any:
            return ops.logical_and(t < steps, ops.any(scores > DEAD / 2))

        def body(
            t: Any, tokens: Any, hidden: Any, cell: Any, scores: Any, room: Any, *record: Any
        ) -> tuple[Any, ...]:
            logits, (hidden, cell), _ = decoder.step(tokens, (hidden, cell), memory)
            log_probs = ops.log_softmax(logits + unsayable, axis=-1)
            scores, parents, tokens = choose(scores, log_probs, room, t)
            parents, tokens = ops.cast(parents, "int32"), ops.cast(tokens, "int32")
            now = ops.reshape(ops.arange(steps) == t, (steps, 1, 1))
            record = tuple(
                ops.where(now, new[None], old)
                for new, old in zip((tokens, parents, scores), record, strict=True)
            )
            ended = ops.logical_and(tokens == EOS, scores > DEAD / 2)
            room = room - ops.sum(ops.cast(ended, "int32"), axis=-1)
            scores = ops.where(ops.logical_or(ended, scores <= DEAD / 2), DEAD, scores)
            hidden = ops.take_along_axis(hidden, parents[:, :, None], axis=1)
            cell = ops.take_along_axis(cell, parents[:, :, None], axis=1)
            return (t + 1, tokens, hidden, cell, scores, room, *record)

        start = (ops.convert_to_tensor(0, "int32"), tokens, hidden, cell, scores, room, *record)
        found = ops.while_loop(goes_on, body, start)
        return found[6], found[7], found[8]

    def _unsayable(self) -> np.ndarray:
        """What is added to the logits so that PAD, BOS and UNK can never be said."""
        mask = np.zeros(self.decoder.vocabulary_size, np.float32)
        mask[[PAD, UNK, BOS]] = DEAD
        return mask


def _extend(scores: Any, log_probs: Any, tokens: Any) -> tuple[Any, Any, Any]:
    """Go on with drawn `tokens` `(B, K, 1)`, each sentence by itself."""
    gained = ops.take_along_axis(log_probs, tokens, axis=-1)[:, :, 0]
    scores = ops.where(scores > DEAD / 2, scores + gained, DEAD)
    parents = ops.zeros_like(tokens[:, :, 0]) + ops.arange(tokens.shape[1], dtype="int32")
    return scores, parents, tokens[:, :, 0]
