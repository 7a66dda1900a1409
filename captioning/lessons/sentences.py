"""Sentences word by word in NumPy: reading a given one, and writing one greedily."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.lessons.numpy_decoder import Memory, PlainDecoder, WordStep
from captioning.lessons.numpy_lstm import FREE_GATES, Switches
from captioning.vocabulary import BOS, EOS

__all__ = ["Written", "read_sentence", "write_greedily"]


@dataclass(frozen=True)
class Written:
    """A sentence with the steps that led to it.

    Attributes:
        ids: its words, without BOS and EOS.
        steps: one for each word read, BOS first; step t says how likely each word at place t is.
        ended: whether the model ended it; if not, it was cut at the model's full length.
    """

    ids: tuple[int, ...]
    steps: tuple[WordStep, ...]
    ended: bool = True

    @property
    def log_probs(self) -> tuple[float, ...]:
        """Natural logarithm of each word's probability, and of the end's where it ended."""
        said = [*self.ids, EOS] if self.ended else self.ids
        return tuple(
            float(step.log_probs[0, token]) for step, token in zip(self.steps, said, strict=False)
        )

    @property
    def log_prob(self) -> float:
        """Natural logarithm of the probability of the whole sentence, its end included."""
        return sum(self.log_probs)


def read_sentence(
    decoder: PlainDecoder,
    memory: Memory,
    ids: Sequence[int],
    *,
    switches: Switches = FREE_GATES,
) -> Written:
    """Read a sentence that is there already, as in training.

    Args:
        decoder: reads it.
        memory: of one photo.
        ids: its words, without BOS and EOS.
        switches: gates to hold.
    """
    state, steps = decoder.begin(memory), []
    for token in (BOS, *ids):
        step = decoder.step(np.array([token]), state, memory, switches=switches)
        steps.append(step)
        state = step.state
    return Written(tuple(ids), tuple(steps))


def write_greedily(
    decoder: PlainDecoder,
    memory: Memory,
    *,
    begun: Sequence[int] = (),
    switches: Switches = FREE_GATES,
    force: np.ndarray | None = None,
    forced_at: int | None = None,
) -> Written:
    """Write a sentence, always taking the likeliest next word.

    Args:
        decoder: writes it.
        memory: of one photo.
        begun: words it begins with, whatever their probability.
        switches: gates to hold at every step.
        force: weights of the regions to look with, as in `PlainDecoder.step`.
        forced_at: the place of the only word that is looked for by force; None for all places
            from the end of `begun` on.
    """
    state, token = decoder.begin(memory), BOS
    ids: list[int] = []
    steps: list[WordStep] = []
    for place in range(decoder.config.max_length):
        now = place >= len(begun) if forced_at is None else place == forced_at
        look = force if now else None
        step = decoder.step(np.array([token]), state, memory, switches=switches, force=look)
        steps.append(step)
        state = step.state
        token = begun[place] if place < len(begun) else int(step.log_probs[0].argmax())
        if token == EOS:
            return Written(tuple(ids), tuple(steps))
        ids.append(token)
    return Written(tuple(ids), tuple(steps), ended=False)
