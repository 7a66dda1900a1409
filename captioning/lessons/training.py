"""What training figures show: overfitting, the spread over seeds, and exposure bias."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.captioner import Captioner
from captioning.lessons.numpy_decoder import Written
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, PAD, UNK


@dataclass(frozen=True, slots=True)
class EpochLoss:
    """The losses after one epoch, in nats a word."""

    epoch: int
    train: float
    dev: float

    @property
    def gap(self) -> float:
        """How much worse the loss is on photos that were not in training."""
        return self.dev - self.train

    @property
    def perplexity(self) -> float:
        """`exp(dev)`: like a choice among this many equally likely words."""
        return math.exp(self.dev)


@dataclass(frozen=True, slots=True)
class Curve:
    """The epochs of a run, at least one."""

    epochs: tuple[EpochLoss, ...]

    @property
    def best(self) -> EpochLoss:
        """The epoch with the lowest dev loss; the first one of equals."""
        return min(self.epochs, key=lambda epoch: epoch.dev)

    @property
    def last(self) -> EpochLoss:
        """The last epoch."""
        return self.epochs[-1]

    @property
    def rise(self) -> float:
        """By how much the dev loss rose again after its best epoch, in nats a word."""
        return self.last.dev - self.best.dev

    @property
    def overfits(self) -> bool:
        """Whether training went on to improve while dev got worse."""
        return self.rise > 0 and self.last.train < self.best.train


def read_curve(history: Sequence[Mapping[str, Any]]) -> Curve | None:
    """Read the losses of a run from its history.

    Args:
        history: a record an epoch with `epoch`, `loss` and `dev_loss`.  One that learned from
            rewards is left out: its training loss is no cross-entropy.

    Returns:
        The curve; None where no record has both losses.
    """
    epochs = [
        EpochLoss(int(row["epoch"]), float(row["loss"]), float(row["dev_loss"]))
        for row in history
        if {"epoch", "loss", "dev_loss"} <= set(row) and not row.get("reward")
    ]
    sound = [e for e in epochs if math.isfinite(e.train) and math.isfinite(e.dev)]
    return Curve(tuple(sound)) if sound else None


@dataclass(frozen=True, slots=True)
class Spread:
    """One score of at least two runs that differ only in their random numbers.

    Attributes:
        values: one a run.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return math.fsum(self.values) / len(self.values)

    @property
    def deviation(self) -> float:
        """Their standard deviation, with n - 1 in the denominator."""
        squares = math.fsum((value - self.mean) ** 2 for value in self.values)
        return math.sqrt(squares / (len(self.values) - 1))

    @property
    def width(self) -> float:
        """From the lowest to the highest."""
        return max(self.values) - min(self.values)

    @property
    def noticeable(self) -> float:
        """Twice the standard error of the difference of two such means.

        Two settings, each tried with this many seeds, should differ by more than this before one is
        called better: chance alone stays within it about 19 times of 20 when runs are many.
        """
        return 2 * self.deviation * math.sqrt(2 / len(self.values))

    def mean_formula(self) -> str:
        r"""Write the mean as LaTeX."""
        terms = " + ".join(f"{value:.1f}" for value in self.values)
        return rf"\mu = \frac{{{terms}}}{{{len(self.values)}}} = {self.mean:.1f}"

    def variance_formula(self) -> str:
        r"""Write the square of the standard deviation as LaTeX, in a line that can break."""
        squares = " + ".join(f"({value - self.mean:.2f})^2" for value in self.values)
        return f"s^2 = ({squares}) / {len(self.values) - 1} = {self.deviation**2:.2f}"

    def deviation_formula(self) -> str:
        r"""Write the standard deviation as LaTeX."""
        return rf"s = \sqrt{{{self.deviation**2:.2f}}} = {self.deviation:.1f}"


def spread_of(values: Sequence[float]) -> Spread | None:
    """Return the spread of at least two values, else None."""
    return Spread(tuple(values)) if len(values) > 1 else None


@dataclass(frozen=True, slots=True)
class ForcedWord:
    """What the model would write at one place of a true sentence.

    Attributes:
        true: the word that stands there; None for the end.
        predicted: the word it finds likeliest after the true words before; None for the end.
        true_log_prob: natural logarithm of the true word's probability.
        predicted_log_prob: of the likeliest word's.
    """

    true: str | None
    predicted: str | None
    true_log_prob: float
    predicted_log_prob: float

    @property
    def right(self) -> bool:
        """Whether it would write the true word."""
        return self.true == self.predicted


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
        predicted = None if best == EOS else words[best]
        true_log_prob = float(log_probs[reading.ids[place]])
        found.append(ForcedWord(true, predicted, true_log_prob, float(log_probs[best])))
    return found


def forced_sentence(found: Sequence[ForcedWord]) -> str:
    """Join the predicted words up to the first end, of the true sentence or predicted.

    This is what a score "under teacher forcing" scores: no model ever wrote it.
    """
    sentence: list[str] = []
    for word in found[:-1]:
        if word.predicted is None:
            break
        sentence.append(word.predicted)
    return " ".join(sentence)


def second_word(written: Written, place: int) -> int | None:
    """Return the likeliest word at one place of a sentence except the one written there, as its id.

    The end and the other marks are not words.
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
