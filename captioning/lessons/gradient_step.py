"""One step of gradient descent: a copy of a model learns one sentence; with the formulas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import gradients_of, to_numpy
from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.decoders import build_decoder
from captioning.decoding import CaptionSearch
from captioning.errors import QueryError, TrainingError, quoted
from captioning.fair_lock import FairLock
from captioning.inference.keras_decoder import KerasDecoder
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS

GREEDY = DecodingConfig(beam_width=1, length_penalty=0.0)


@dataclass(frozen=True, slots=True)
class LearnedWord:
    """One word of the sentence.

    Attributes:
        word: the word; None for the end of the sentence.
        before: its probability before the first step, given the photo and the words before it.
        after: the same after the last step.
    """

    word: str | None
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class BiasStep:
    """The first step at one weight: the bias of a word in the vocabulary layer.

    Attributes:
        word: whose bias.
        times: how often the sentence has it.
        places: words of the sentence and its end.
        share: the mean over all places of the probability the model gave it.
        gradient: of the loss by this bias, as the backend computed it; it equals
            `share - times / places`.
        before: the bias before the step.
        after: the bias after it.
    """

    word: str
    times: int
    places: int
    share: float
    gradient: float
    before: float
    after: float


@dataclass(frozen=True)
class Learned:
    """What some steps on one sentence did.

    Attributes:
        rate: the learning rate.
        losses: before the first step and after each, in nats a word.
        words: the sentence's words and its end.
        bias: the first step at the bias of each different word of the sentence.
        gradient_norms: length of the first step's gradient, by layer.
        before: greedy captions before: of the photo that was taught, then of the others.
        after: greedy captions after, of the same photos.
    """

    rate: float
    losses: tuple[float, ...]
    words: tuple[LearnedWord, ...]
    bias: tuple[BiasStep, ...]
    gradient_norms: dict[str, float]
    before: tuple[str, ...]
    after: tuple[str, ...]

    def gained_most(self) -> LearnedWord:
        """Return the word of the sentence whose probability rose most."""
        words = [word for word in self.words if word.word is not None]
        return max(words, key=lambda word: word.after - word.before)


class Pupil:
    """A copy of a model's decoder, which may be changed; the model itself never is."""

    def __init__(self, captioner: Captioner) -> None:
        bundle = captioner.bundle
        self._original = captioner.keras_decoder
        self._vocabulary = bundle.vocabulary
        self._decoder = build_decoder(
            bundle.decoder,
            vocabulary_size=len(bundle.vocabulary),
            feature_shape=bundle.feature_shape,
        )
        self._search = CaptionSearch(KerasDecoder(self._decoder), vocabulary=bundle.vocabulary)
        self._turns = FairLock()

    def learn(
        self,
        features: np.ndarray,
        sentence: str,
        *,
        rate: float,
        steps: int = 1,
        others: np.ndarray | None = None,
    ) -> Learned:
        """Start from the model's weights and take plain gradient steps on one sentence.

        Plain means that every weight changes by minus the rate times its gradient, nothing else.

        Args:
            features: of one photo, `(1, R, D)` or `(1, D)`.
            sentence: what the model learns to write about it.
            rate: the learning rate.
            steps: how many.
            others: features of photos that are not taught, to see how their captions change.

        Raises:
            QueryError: the sentence is empty or too long, or the model does not know a word of it.
            TrainingError: the steps were so long that the loss is not a number.
        """
        ids = self._ids(sentence)
        seen = np.asarray(features, np.float32)
        with self._turns.take():
            self._begin()
            photos = seen if others is None else np.concatenate([seen, others])
            before, first = self._captions(photos), self._probabilities(seen, ids)
            bias_before = to_numpy(self._decoder.vocabulary.bias)
            losses, gradients = self._descend(seen, ids, rate, steps)
            last = self._probabilities(seen, ids)
            losses.append(_loss(last, ids))
            if not np.isfinite(losses[-1]):
                raise TrainingError(
                    f"After {steps} steps of rate {rate:g} the loss is not a number: the steps "
                    "were too long. Choose a lower learning rate."
                )
            return Learned(
                rate=rate,
                losses=tuple(losses),
                words=self._words(ids, first, last),
                bias=self._bias(ids, first, bias_before, gradients, rate),
                gradient_norms=_norms(self._decoder.trainable_variables, gradients),
                before=before,
                after=self._captions(photos),
            )

    def _ids(self, sentence: str) -> list[int]:
        words, longest = tokenize(sentence), self._decoder.config.max_length - 1
        unknown = [word for word in words if word not in self._vocabulary]
        if unknown:
            raise QueryError(
                f"The model does not know the word {quoted(unknown[0])}. Use another one."
            )
        if not 1 <= len(words) <= longest:
            raise QueryError(f"The sentence has {len(words)} words; this takes 1 to {longest}.")
        return [self._vocabulary.id(word) for word in words]

    def _begin(self) -> None:
        for mine, theirs in zip(self._decoder.weights, self._original.weights, strict=True):
            mine.assign(theirs)

    def _descend(
        self, features: np.ndarray, ids: Sequence[int], rate: float, steps: int
    ) -> tuple[list[float], list[np.ndarray]]:
        """Take the steps; return the loss before each, and the first step's gradients."""
        inputs, targets = _row([BOS, *ids]), np.array([*ids, EOS])[:, None]
        variables = self._decoder.trainable_variables

        def loss_of() -> Any:
            logits = self._decoder(features, inputs, training=False)[0, 0]
            log_probs = ops.log_softmax(logits, axis=-1)
            return -ops.mean(ops.take_along_axis(log_probs, targets, axis=-1))

        losses: list[float] = []
        first: list[np.ndarray] = []
        for _ in range(steps):
            loss, gradients = gradients_of(loss_of, variables)
            losses.append(float(to_numpy(loss)))
            first = first or [to_numpy(gradient) for gradient in gradients]
            for variable, gradient in zip(variables, gradients, strict=True):
                variable.assign(variable - rate * gradient)
        return losses, first

    def _probabilities(self, features: np.ndarray, ids: Sequence[int]) -> np.ndarray:
        """Return the probability of every word at every place, `(T, V)`."""
        logits = self._decoder(features, _row([BOS, *ids]), training=False)
        shares: np.ndarray = to_numpy(ops.softmax(logits, axis=-1))[0, 0]
        return shares

    def _captions(self, features: np.ndarray) -> tuple[str, ...]:
        found = self._search.search(features, GREEDY)
        return tuple(self._vocabulary.decode(hypotheses[0].ids) for hypotheses in found)

    def _words(
        self, ids: Sequence[int], first: np.ndarray, last: np.ndarray
    ) -> tuple[LearnedWord, ...]:
        return tuple(
            LearnedWord(
                None if place == len(ids) else self._vocabulary.words[word],
                float(first[place, word]),
                float(last[place, word]),
            )
            for place, word in enumerate([*ids, EOS])
        )

    def _bias(
        self,
        ids: Sequence[int],
        first: np.ndarray,
        before: np.ndarray,
        gradients: Sequence[np.ndarray],
        rate: float,
    ) -> tuple[BiasStep, ...]:
        paths = [variable.path for variable in self._decoder.trainable_variables]
        gradient = gradients[paths.index(self._decoder.vocabulary.bias.path)]
        return tuple(
            BiasStep(
                word=self._vocabulary.words[word],
                times=list(ids).count(word),
                places=len(ids) + 1,
                share=float(first[:, word].mean()),
                gradient=float(gradient[word]),
                before=float(before[word]),
                after=float(before[word] - rate * gradient[word]),
            )
            for word in dict.fromkeys(ids)
        )


def _row(ids: Sequence[int]) -> np.ndarray:
    return np.array([[list(ids)]], np.int32)


def _loss(probabilities: np.ndarray, ids: Sequence[int]) -> float:
    of_words = probabilities[np.arange(len(ids) + 1), [*ids, EOS]]
    return float(-np.log(np.maximum(of_words, 1e-30)).mean())


def _norms(variables: Sequence[Any], gradients: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the length of the gradient of each layer, the longest first."""
    squares: dict[str, float] = {}
    for variable, gradient in zip(variables, gradients, strict=True):
        layer = variable.path.rsplit("/", 1)[0]
        values = gradient.astype(np.float64)
        squares[layer] = squares.get(layer, 0.0) + float((values * values).sum())
    return {name: v**0.5 for name, v in sorted(squares.items(), key=lambda item: -item[1])}


TERMS_A_LINE = 8


def loss_formula(words: Sequence[LearnedWord]) -> list[str]:
    r"""Write the loss before the first step: the mean of `-ln p` over the words and the end.

    Returns:
        One line for every eight words, so that a long sentence still fits a screen.
    """
    terms = [f"{-math.log(word.before):.3f}" for word in words]
    loss = math.fsum(-math.log(word.before) for word in words) / len(words)
    lines = [
        " + ".join(terms[start : start + TERMS_A_LINE])
        for start in range(0, len(terms), TERMS_A_LINE)
    ]
    lines = [*(f"{line} +" for line in lines[:-1]), lines[-1]]
    lines[0] = rf"L = \frac{{1}}{{{len(words)}}} \cdot ({lines[0]}"
    lines[-1] = f"{lines[-1]}) = {loss:.3f}"
    return lines


def slope_formula(step: BiasStep) -> str:
    r"""Write the gradient of the loss by a word's bias: mean probability minus frequency."""
    return rf"g = {step.share:.5f} - \frac{{{step.times}}}{{{step.places}}} = {step.gradient:.5f}"


def bias_formula(step: BiasStep, rate: float) -> str:
    r"""Write what one step does to a word's bias."""
    return (
        rf"b' = b - \eta \cdot g = {step.before:.5f} - {rate:g} \cdot ({step.gradient:.5f}) "
        rf"= {step.after:.5f}"
    )
