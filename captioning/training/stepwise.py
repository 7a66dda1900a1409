"""Training step by step, with all intermediate results."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from captioning.backend import gradients_of, to_numpy
from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset
from captioning.training.batches import teacher_forcing
from captioning.training.model import as_keras_reads
from captioning.training.recipe import Prepared, prepare
from captioning.vocabulary import PAD

SHOWN_WORDS = 5


@dataclass(frozen=True)
class Target:
    """One target word.

    Attributes:
        read: the word before it, which the model reads.
        said: the target word itself.
        loss: negative log-probability before the step, in nats.
        before: its probability before the step.
        after: its probability after the step, for the same photo and words.
        likeliest: the most probable words before the step, with their probabilities.
    """

    read: str
    said: str
    loss: float
    before: float
    after: float
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Step:
    """A training step.

    Attributes:
        number: from 1.
        loss: mean over the words of the batch, with dropout and label smoothing, in nats.
        learning_rate: of this step.
        photos: names of the batch's photos.
        inputs: input words of each photo's first caption.
        targets: target words of each photo, one position ahead of `inputs`.
        words: targets of each photo, in sentence order.
        gradient_norms: Euclidean norm of each layer's gradient, by the layer's path.
    """

    number: int
    loss: float
    learning_rate: float
    photos: tuple[str, ...]
    inputs: tuple[tuple[str, ...], ...]
    targets: tuple[tuple[str, ...], ...]
    words: tuple[tuple[Target, ...], ...]
    gradient_norms: dict[str, float]


class StepByStep:
    """A training run that advances one step per call.

    Args:
        config: as for a run.
        dataset: as for a run.

    Raises:
        CaptioningError: for the same reasons as `train` before its first step.
    """

    def __init__(self, config: TrainingConfig, dataset: CaptionDataset) -> None:
        self._prepared: Prepared = prepare(config, dataset)
        self._trainer = self._prepared.trainer
        self._trainer.prepare()
        self._coming = self._batches()
        self.taken = 0

    def step(self) -> Step:
        """Take a step.

        Raises:
            TrainingError: the backend cannot compute gradients.
        """
        trainer, model = self._trainer, self._trainer.model
        indices = next(self._coming)
        photos = trainer.train_data.photos(indices)
        batch = trainer.batch(indices, photos)
        plain = indices % len(trainer.train_rows)
        rows = trainer.train_rows.rows[plain, 0]
        before = self._probabilities(photos, rows)
        x, y, weights = as_keras_reads(batch)

        def loss_of() -> Any:
            logits = model(x, training=True)
            return model.compute_loss(x, y, logits, weights, training=True)

        rate = trainer.learning_rate()
        loss, gradients = gradients_of(loss_of, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        self.taken += 1
        after = self._probabilities(photos, rows)
        inputs, targets, _ = teacher_forcing(rows)
        return Step(
            number=self.taken,
            loss=float(to_numpy(loss)),
            learning_rate=rate,
            photos=tuple(trainer.train_data.names[place] for place in plain),
            inputs=self._as_words(inputs),
            targets=self._as_words(targets),
            words=tuple(map(self._targets, inputs, targets, before, after)),
            gradient_norms=_norms(model.trainable_variables, gradients),
        )

    def _batches(self) -> Iterator[np.ndarray]:
        epoch = 0
        while True:
            yield from self._trainer.groups(epoch)
            epoch += 1

    def _probabilities(self, photos: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return all word probabilities along one caption per photo, `(B, T, V)`."""
        features = self._trainer.features(photos)
        logits = self._trainer.decoder(features, rows[:, None, :-1], training=False)
        return to_numpy(ops.softmax(logits, axis=-1))[:, 0]

    def _targets(
        self, inputs: np.ndarray, targets: np.ndarray, before: np.ndarray, after: np.ndarray
    ) -> tuple[Target, ...]:
        words = self._trainer.vocabulary.words
        found = []
        for place in np.flatnonzero(targets != PAD):
            said = targets[place]
            best = np.argsort(-before[place])[:SHOWN_WORDS]
            found.append(
                Target(
                    read=words[inputs[place]],
                    said=words[said],
                    loss=float(-np.log(max(before[place, said], 1e-30))),
                    before=float(before[place, said]),
                    after=float(after[place, said]),
                    likeliest=tuple((words[i], float(before[place, i])) for i in best),
                )
            )
        return tuple(found)

    def _as_words(self, rows: np.ndarray) -> tuple[tuple[str, ...], ...]:
        words = self._trainer.vocabulary.words
        return tuple(tuple(words[i] for i in row) for row in rows)


def _norms(variables: list[Any], gradients: list[Any]) -> dict[str, float]:
    squares: dict[str, float] = {}
    for variable, gradient in zip(variables, gradients, strict=True):
        layer = variable.path.rsplit("/", 1)[0]
        values = to_numpy(gradient).astype(np.float64)
        squares[layer] = squares.get(layer, 0.0) + float((values * values).sum())
    return {layer: value**0.5 for layer, value in squares.items()}
