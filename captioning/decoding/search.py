"""Beam search and sampling over a batch of photos, each as one compiled loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from captioning.backend import compiled, to_numpy
from captioning.config import DecodingConfig
from captioning.decoders import Decoder
from captioning.decoding.choosing import Choose, choose_best, draw_among, draw_from_all
from captioning.decoding.hypotheses import Hypothesis, Trace, read_hypotheses
from captioning.decoding.loop import search_loop
from captioning.decoding.steering import NO_STEERING, Steering, read_steering
from captioning.errors import ConfigError
from captioning.vocabulary import Vocabulary

__all__ = ["CaptionSearch"]


class CaptionSearch:
    """Search for the sentences of one decoder.

    A compiled loop is kept for each number of beams, so settings may change from call to call.

    Args:
        decoder: whose probabilities are searched; its weights may change between calls.
        vocabulary: the decoder's words; needed where settings name words.
        xla: compile with XLA, which halves the time of a step and costs half a second per new
            shape; worthwhile where shapes repeat.
    """

    def __init__(
        self, decoder: Decoder, *, vocabulary: Vocabulary | None = None, xla: bool = False
    ) -> None:
        self.decoder = decoder
        self.vocabulary = vocabulary
        self._xla = xla
        self._loops: dict[tuple[str, int, int, int], Callable[..., Any]] = {}

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
        features, steering = np.asarray(features, np.float32), self._steering(config)
        wishes = steering.arrays(self.decoder.vocabulary_size, self.decoder.config.max_length)
        if config.strategy == "sample":
            # The same draws for every photo: a photo's sentence must not depend on its batch.
            steps = self.decoder.config.max_length
            draws = np.random.default_rng(config.seed).random((steps, 1, config.samples))
            found = self._compiled("sample", config.samples, steering)(
                features,
                *wishes,
                draws.astype(np.float32),
                np.float32(config.temperature),
                np.int32(config.top_k or self.decoder.vocabulary_size),
                np.float32(config.top_p),
            )
        else:
            found = self._compiled("beam", config.beam_width, steering)(features, *wishes)
        return Trace(*map(to_numpy, found))

    def draw(self, features: np.ndarray, draws: np.ndarray) -> Trace:
        """Draw sentences from the decoder's own probabilities, no word left out but the unsayable.

        Args:
            features: `(B, R, D)` or `(B, D)`.
            draws: float32 `(max_length, B, K)` in [0, 1): one number for each word of K sentences.
        """
        wishes = NO_STEERING.arrays(self.decoder.vocabulary_size, self.decoder.config.max_length)
        loop = self._compiled("draw", draws.shape[-1], NO_STEERING)
        return Trace(*map(to_numpy, loop(np.asarray(features, np.float32), *wishes, draws)))

    def _steering(self, config: DecodingConfig) -> Steering:
        if self.vocabulary is not None:
            longest = self.decoder.config.max_length
            return read_steering(config, self.vocabulary, max_length=longest)
        if config.prefix or config.required_words or config.banned_words:
            raise ConfigError("This search knows no words, so it cannot be steered by any.")
        return Steering(no_repeat=config.no_repeat)

    def _compiled(self, strategy: str, width: int, steering: Steering) -> Callable[..., Any]:
        """Return the loop for so many beams, compiled once; other settings are its arguments."""
        key = (strategy, width, len(steering.required), steering.no_repeat)
        if key not in self._loops:
            self._loops[key] = compiled(partial(self._loop, *key), self.decoder, xla=self._xla)
        return self._loops[key]

    def _loop(
        self,
        strategy: str,
        width: int,
        wanted: int,
        no_repeat: int,
        features: Any,
        block: Any,
        forced: Any,
        required: Any,
        *numbers: Any,
    ) -> tuple[Any, ...]:
        """Search; the first four settings are fixed when compiling, the arrays are arguments."""
        choices: dict[str, Choose] = {
            "beam": lambda moment: choose_best(moment, width),
            "sample": lambda moment: draw_among(moment, *numbers),
            "draw": lambda moment: draw_from_all(moment, *numbers),
        }
        return search_loop(
            self.decoder,
            choices[strategy],
            features,
            block,
            forced,
            required,
            width=width,
            wanted=wanted,
            no_repeat=no_repeat,
            first_alone=strategy == "beam",
        )
