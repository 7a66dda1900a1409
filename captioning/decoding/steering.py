"""Constraints on a search: required words, banned words, a given prefix, no repetition.

Constraints decide which words may be chosen but do not change their probabilities, so captions with
and without constraints can be compared.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from captioning.config import DecodingConfig
from captioning.decoding.hypotheses import NEG_INF
from captioning.decoding.step import unsayable
from captioning.errors import ConfigError, quoted
from captioning.text import tokenize
from captioning.vocabulary import SPECIAL, Vocabulary


@dataclass(frozen=True)
class Steering:
    """The constraints of a `DecodingConfig`, as ids.

    Attributes:
        prefix: words that start the sentence.
        required: words that must occur, each at least once.
        banned: words that must not occur.
        no_repeat: no n-gram of this length occurs twice; 0 disables.
    """

    prefix: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    banned: tuple[int, ...] = ()
    no_repeat: int = 0


NO_STEERING = Steering()


class WordMask:
    """The words that are allowed at each step of a search.

    Args:
        steering: the constraints.
        vocabulary_size: V.
    """

    def __init__(self, steering: Steering, vocabulary_size: int) -> None:
        self._steering = steering
        self._free = unsayable(vocabulary_size)
        self._free[list(steering.banned)] = NEG_INF

    def at(self, step: int, words_so_far: np.ndarray) -> np.ndarray | None:
        """Return the term added to each word's score: 0 if it is allowed, `NEG_INF` if not.

        Args:
            step: index of the next word, from 0.
            words_so_far: int64 `(B, K, step)`, the words before it.

        Returns:
            float32 `(V,)` or `(B, K, V)`; None without constraints.
        """
        if self._steering == NO_STEERING:
            return None
        if step < len(self._steering.prefix):
            forced = np.full_like(self._free, NEG_INF)
            forced[self._steering.prefix[step]] = 0.0
            return forced
        if not self._steering.no_repeat:
            return self._free
        return self._without_repetition(words_so_far, self._steering.no_repeat - 1)

    def _without_repetition(self, words_so_far: np.ndarray, before: int) -> np.ndarray:
        """Forbid every word that would repeat an n-gram, given the last `before` words."""
        photos, beams, steps = words_so_far.shape
        mask = np.broadcast_to(self._free, (photos, beams, len(self._free))).copy()
        last = words_so_far[:, :, steps - before :]
        for place in range(steps - before):
            same = (words_so_far[:, :, place : place + before] == last).all(axis=-1)
            photo, beam = np.nonzero(same)
            mask[photo, beam, words_so_far[photo, beam, place + before]] = NEG_INF
        return mask


def read_steering(config: DecodingConfig, vocabulary: Vocabulary, *, max_length: int) -> Steering:
    """Convert the constraints of `config` to ids.

    A banned word that the model does not know is not an error: it cannot occur anyway.

    Args:
        config: the settings; words may have any case and punctuation.
        vocabulary: of the model.
        max_length: maximum length of a sentence, including EOS.

    Raises:
        ConfigError: the model does not know a word, the constraints contradict each other, or they
            do not fit into `max_length`.
    """
    prefix = [word for text in config.prefix for word in tokenize(text)]
    required = _single_words(config.required_words)
    banned = _single_words(config.banned_words)
    for word in (*prefix, *required):
        _check_known(word, vocabulary)
        if word in banned:
            raise ConfigError(f"{word!r} is both requested and banned. Remove one of the two.")
    _check_room(len(prefix), len(set(required) - set(prefix)), max_length)
    return Steering(
        prefix=tuple(vocabulary.id(word) for word in prefix),
        required=tuple(vocabulary.id(word) for word in required),
        banned=tuple(vocabulary.id(word) for word in banned if word in vocabulary),
        no_repeat=config.no_repeat,
    )


def nearest_word(word: str, vocabulary: Vocabulary) -> str | None:
    """Return the known word whose spelling is closest to `word`, if any is close."""
    known = vocabulary.words[len(SPECIAL) :]
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.75)), None)


def _single_words(texts: Iterable[str]) -> tuple[str, ...]:
    """Clean each text to one word, without duplicates.

    Raises:
        ConfigError: a text has several words.
    """
    words: dict[str, None] = {}
    for text in texts:
        found = tokenize(text)
        if len(found) > 1:
            raise ConfigError(f"{text!r} has {len(found)} words; enter them one by one.")
        words.update(dict.fromkeys(found))
    return tuple(words)


def _check_known(word: str, vocabulary: Vocabulary) -> None:
    if word in vocabulary and word not in SPECIAL:
        return
    nearest = nearest_word(word, vocabulary)
    hint = f"It knows {nearest!r}." if nearest else "Choose another word."
    raise ConfigError(
        f"The model does not know the word {quoted(word)}, because it is rare in the training "
        f"captions, so it cannot use it. {hint}"
    )


def _check_room(prefix: int, required: int, max_length: int) -> None:
    """Check that the constraints leave one step for EOS."""
    if prefix + required <= max_length - 1:
        return
    wishes = f"a beginning of {prefix} words" if prefix else ""
    wishes += " and " if prefix and required else ""
    wishes += f"{required} words that must occur" if required else ""
    raise ConfigError(
        f"The model's sentences have at most {max_length - 1} words, too few for {wishes}."
    )
