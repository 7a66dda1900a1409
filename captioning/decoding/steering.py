"""Steering a search: words that must or must not occur, a given beginning, no repetition.

Steering decides which words may be chosen and leaves their probabilities alone: a sentence keeps
the probability the model gives it, whatever it was steered by, so steered and free sentences can be
compared.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from captioning.config import DecodingConfig
from captioning.decoding.hypotheses import DEAD
from captioning.errors import ConfigError
from captioning.text import tokenize
from captioning.vocabulary import BOS, PAD, SPECIAL, UNK, Vocabulary

__all__ = ["NO_STEERING", "Steering", "WordMask", "nearest_word", "read_steering"]


@dataclass(frozen=True)
class Steering:
    """The wishes of a `DecodingConfig`, as ids.

    Attributes:
        prefix: words the sentence begins with.
        required: words that must occur, each once.
        banned: words that must not.
        no_repeat: no row of so many words occurs twice; 0 lets any.
    """

    prefix: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    banned: tuple[int, ...] = ()
    no_repeat: int = 0


NO_STEERING = Steering()


class WordMask:
    """Which words a steered search may say at each step.

    Args:
        steering: the wishes.
        vocabulary_size: V.
    """

    def __init__(self, steering: Steering, vocabulary_size: int) -> None:
        self._steering = steering
        self._free = np.zeros(vocabulary_size, np.float32)
        self._free[[PAD, UNK, BOS, *steering.banned]] = DEAD

    def at(self, step: int, said: np.ndarray) -> np.ndarray | None:
        """Return what is added to each word's score: 0 where it may be said, `DEAD` where not.

        Args:
            step: which word is chosen, from 0.
            said: int64 `(B, K, step)`, the words before it.

        Returns:
            float32 `(V,)` or `(B, K, V)`; None if nothing is wished.
        """
        if self._steering == NO_STEERING:
            return None
        if step < len(self._steering.prefix):
            forced = np.full_like(self._free, DEAD)
            forced[self._steering.prefix[step]] = 0.0
            return forced
        if not self._steering.no_repeat:
            return self._free
        return self._without_repetition(said, self._steering.no_repeat - 1)

    def _without_repetition(self, said: np.ndarray, before: int) -> np.ndarray:
        """Forbid every word that followed the last `before` words where they stood earlier."""
        photos, beams, steps = said.shape
        mask = np.broadcast_to(self._free, (photos, beams, len(self._free))).copy()
        last = said[:, :, steps - before :]
        for place in range(steps - before):
            same = (said[:, :, place : place + before] == last).all(axis=-1)
            photo, beam = np.nonzero(same)
            mask[photo, beam, said[photo, beam, place + before]] = DEAD
        return mask


def read_steering(config: DecodingConfig, vocabulary: Vocabulary, *, max_length: int) -> Steering:
    """Turn the wishes of `config` into ids.

    A banned word that the model does not know is no fault: it cannot be said anyway.

    Args:
        config: whose words may be written in any case, with punctuation.
        vocabulary: of the model.
        max_length: the model's longest sentence, in words and its end mark.

    Raises:
        ConfigError: a word is unknown to the model, the wishes contradict one another, or they do
            not fit into `max_length`.
    """
    prefix = [word for text in config.prefix for word in tokenize(text)]
    required = _single_words(config.required_words)
    banned = _single_words(config.banned_words)
    for word in (*prefix, *required):
        _check_known(word, vocabulary)
        if word in banned:
            raise ConfigError(f"{word!r} must not occur, but it is also asked for. Remove one.")
    _check_room(len(prefix), len(set(required) - set(prefix)), max_length)
    return Steering(
        prefix=tuple(vocabulary.id(word) for word in prefix),
        required=tuple(vocabulary.id(word) for word in required),
        banned=tuple(vocabulary.id(word) for word in banned if word in vocabulary),
        no_repeat=config.no_repeat,
    )


def nearest_word(word: str, vocabulary: Vocabulary) -> str | None:
    """Return the known word that is written most like `word`, if any is."""
    known = vocabulary.words[len(SPECIAL) :]
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.75)), None)


def _single_words(texts: Iterable[str]) -> tuple[str, ...]:
    """Clean each text to one word; a word named twice counts once.

    Raises:
        ConfigError: a text is several words.
    """
    words: dict[str, None] = {}
    for text in texts:
        found = tokenize(text)
        if len(found) > 1:
            raise ConfigError(f"{text!r} is {len(found)} words; name them one by one.")
        words.update(dict.fromkeys(found))
    return tuple(words)


def _check_known(word: str, vocabulary: Vocabulary) -> None:
    if word in vocabulary and word not in SPECIAL:
        return
    nearest = nearest_word(word, vocabulary)
    hint = f"It knows {nearest!r}." if nearest else "Choose another word."
    raise ConfigError(
        f"The model does not know the word {word!r}, so it cannot say it: its training captions "
        f"hardly had it. {hint}"
    )


def _check_room(prefix: int, required: int, max_length: int) -> None:
    """Keep one step for the end mark."""
    if prefix + required <= max_length - 1:
        return
    wishes = f"a beginning of {prefix} words" if prefix else ""
    wishes += " and " if prefix and required else ""
    wishes += f"{required} words that must occur" if required else ""
    raise ConfigError(
        f"The model's sentences have at most {max_length - 1} words, too few for {wishes}."
    )
