"""Reading true words or its own: teacher forcing beside free running, and a push off the track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.captioner import Captioner
from captioning.lessons.sentences import Written
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, PAD, UNK

__all__ = ["ForcedWord", "forced_sentence", "forced_words", "parting", "second_word"]


@dataclass(frozen=True, slots=True)
class ForcedWord:
    """What the model would say at one place of a true sentence.

    Attributes:
        true: the word that stands there; None for the end.
        said: the word it finds likeliest after the true words before; None for the end.
        true_log_prob: natural logarithm of the true word's probability.
        said_log_prob: of the likeliest word's.
    """

    true: str | None
    said: str | None
    true_log_prob: float
    said_log_prob: float

    @property
    def right(self) -> bool:
        """Whether it would say the true word."""
        return self.true == self.said


def forced_words(captioner: Captioner, features: np.ndarray, sentence: str) -> list[ForcedWord]:
    """Give the model the true words before each place, and ask for the next.

    Args:
        captioner: the model.
        features: of one photo, `(1, R, D)` or `(1, D)`.
        sentence: the true one.

    Returns:
        One for each word and one for the end.

    Raises:
        QueryError: the model does not know a word of the sentence, or it is too long.
    """
    reading = captioner.read(features, sentence)
    words = captioner.bundle.vocabulary.words
    found = []
    for place, true in enumerate([*tokenize(sentence), None]):
        log_probs = reading.log_probs[0, place]
        best = int(log_probs.argmax())
        said = None if best == EOS else words[best]
        true_log_prob = float(log_probs[reading.ids[place]])
        found.append(ForcedWord(true, said, true_log_prob, float(log_probs[best])))
    return found


def forced_sentence(found: Sequence[ForcedWord]) -> str:
    """Join what it would say up to the end of the true sentence or its own, whichever comes first.

    This is what a score "under teacher forcing" scores: no model ever wrote it.
    """
    said: list[str] = []
    for word in found[:-1]:
        if word.said is None:
            break
        said.append(word.said)
    return " ".join(said)


def second_word(written: Written, place: int) -> int | None:
    """Return the likeliest word at one place of a sentence but the one said there, as its id.

    Ending the sentence is no word, and neither is a mark.
    """
    log_probs = written.steps[place].log_probs[0]
    order = np.argsort(-log_probs, kind="stable")
    none = {written.ids[place], PAD, UNK, BOS, EOS}
    return next((int(token) for token in order if token not in none), None)


def parting(one: Sequence[str], other: Sequence[str]) -> int | None:
    """Return the first place where two sentences differ; None if they are the same.

    >>> parting(["a", "red", "kite"], ["a", "blue", "kite"])
    1
    """
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return None if len(one) == len(other) else min(len(one), len(other))
