"""The training loop: epochs of steps, a score on dev after each, the best weights kept."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from captioning.backend import compiled, to_numpy
from captioning.config import TrainingConfig
from captioning.decoders import Decoder
from captioning.decoding import CaptionSearch
from captioning.errors import TrainingError
from captioning.metrics import CaptionScores, score_captions
from captioning.prefetch import ahead
from captioning.training.batches import CaptionRows, PhotoSource, make_batch
from captioning.training.checkpoints import Checkpoints, Progress
from captioning.training.model import TeacherForcing, averaged_weights, compile_for_training
from captioning.training.objectives import CrossEntropy, Objective, SelfCritical
from captioning.vocabulary import Vocabulary

__all__ = ["SplitData", "Trainer", "TrainingEvent"]

TrainingEvent = dict[str, Any]
"""What a run tells while it goes: `event` is "start", "step", "epoch", "resume" or "end"."""

CHECKPOINT_SECONDS = 120.0
STEP_EVENT_SECONDS = 1.0
SCORING_BATCH = 50


@dataclass(frozen=True)
class SplitData:
    """One split as training reads it.

    Attributes:
        photos: gives features or pixels by index.
        captions: for each photo its captions, raw.
    """

    photos: PhotoSource
    captions: Sequence[Sequence[str]]


class Trainer:
    """Teach a decoder (and its encoder, if given) the captions of the training photos.

    Args:
        config: the settings; the same settings on the same machine give the same weights.
        decoder: with fresh weights.
        encoder: a Keras model from pixels to features if it is trained too.
        vocabulary: built from the training captions.
        train: training photos.
        dev: photos that choose the best epoch; never the test split.
        checkpoints: where to keep checkpoints; None keeps none.
        on_event: is told what happens.
        should_stop: is asked after every step; the run then saves a checkpoint and returns.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        decoder: Decoder,
        encoder: keras.Model | None = None,
        vocabulary: Vocabulary,
        train: SplitData,
        dev: SplitData,
        checkpoints: Checkpoints | None = None,
        on_event: Callable[[TrainingEvent], None] = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        if not train.captions:
            raise TrainingError("There are no training photos to learn from.")
        self.config = config
        self.decoder = decoder
        self.encoder = encoder
        self.vocabulary = vocabulary
        self.train_data, self.dev_data = train, dev
        self.checkpoints = checkpoints
        self.on_event = on_event
        self.should_stop = should_stop
        length = decoder.config.max_length
        self._dev_rows = CaptionRows(dev.captions, vocabulary, max_length=length).rows
        self.steps = -(-len(train.captions) // config.images_per_batch)
        self.model = TeacherForcing(decoder, encoder, label_smoothing=config.label_smoothing)
        self.search = CaptionSearch(decoder)
        self._encode = compiled(partial(encoder, training=False), encoder) if encoder else None
        self.objective = self._objective()
        self.progress = Progress()
        self._best: list[np.ndarray] = []

    def run(self) -> bool:
        """Train to the last epoch, or until asked to stop; continues from the last checkpoint.

        At the end the model holds the weights of the epoch with the best dev CIDEr.

        Returns:
            Whether the run is complete.

        Raises:
            TrainingError: the loss is not a number, or a checkpoint cannot be written.
        """
        self._prepare()
        self._resume()
        begun = time.monotonic() - self.progress.seconds
        while self.progress.epoch < self.config.epochs:
            if not self._epoch(begun):
                return False
        for variable, value in zip(self._weights(), self._best, strict=True):
            variable.assign(value)
        self._tell("end", best_epoch=self.progress.best_epoch, seconds=self.progress.seconds)
        return True

    def _prepare(self) -> None:
        compile_for_training(self.model, self.config, steps=self.steps * self.config.epochs)

    def _weights(self) -> list[Any]:
        """All weights a bundle stores: also those not trained, such as batch statistics."""
        encoder = self.encoder.weights if self.encoder is not None else []
        return [*self.decoder.weights, *encoder]

    def _epoch(self, begun: float) -> bool:
        """Run what is left of the epoch under way; returns whether it came to its end."""
        progress, config = self.progress, self.config
        photos = len(self.train_data.captions)
        order = np.random.default_rng((config.seed, progress.epoch)).permutation(photos)
        size = config.images_per_batch
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        told = saved = time.monotonic()
        coming = groups[progress.step :]
        for indices, inputs in zip(coming, ahead(self.train_data.photos, coming), strict=True):
            features = self._features(inputs) if config.objective == "self_critical" else inputs
            loss = self.model.learn(self.objective.batch(indices, inputs, features))
            if not np.isfinite(loss):
                raise TrainingError(
                    f"The loss became {loss} in epoch {progress.epoch + 1}, step "
                    f"{progress.step + 1}. A lower learning rate than {config.learning_rate:g} "
                    "usually helps."
                )
            progress.step += 1
            progress.loss_sum += loss
            progress.reward_sum += self.objective.reward
            now = time.monotonic()
            progress.seconds = now - begun
            if now - told > STEP_EVENT_SECONDS:
                self._tell("step", loss=loss)
                told = now
            stop = self.should_stop()
            if stop or now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
            if stop:
                return False
        self._finish_epoch()
        progress.seconds = time.monotonic() - begun
        self._save()
        return True

    def _finish_epoch(self) -> None:
        progress = self.progress
        train_loss = progress.loss_sum / max(progress.step, 1)
        with averaged_weights(self.model):
            dev_loss = self.dev_loss()
            scores = self.dev_scores()
            if scores.cider > progress.best:
                progress.best, progress.best_epoch = scores.cider, progress.epoch
                self._best = [to_numpy(variable) for variable in self._weights()]
        record = {
            "epoch": progress.epoch + 1,
            "loss": train_loss,
            "reward": progress.reward_sum / max(progress.step, 1),
            "dev_loss": dev_loss,
            "learning_rate": float(to_numpy(self.model.optimizer.learning_rate)),
            **scores.as_dict(),
        }
        progress.history.append(record)
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.loss_sum = progress.reward_sum = 0.0
        self._tell("epoch", **record)

    def dev_loss(self) -> float:
        """Cross-entropy on dev in nats a word, under teacher forcing."""
        size = self.config.images_per_batch
        total = words = 0.0
        for start in range(0, len(self._dev_rows), size):
            indices = np.arange(start, min(start + size, len(self._dev_rows)))
            batch = make_batch(self.dev_data.photos(indices), self._dev_rows[indices])
            total += self.model.loss_of(batch) * batch.words
            words += batch.words
        return total / max(words, 1)

    def dev_scores(self) -> CaptionScores:
        """Score the captions the model writes by itself for (some) dev photos."""
        count = self.config.score_images or len(self.dev_data.captions)
        references = self.dev_data.captions[:count]
        return score_captions(self.captions(self.dev_data.photos, len(references)), references)

    def captions(self, photos: PhotoSource, count: int) -> list[str]:
        """Write captions for the first `count` photos."""
        said: list[str] = []
        for start in range(0, count, SCORING_BATCH):
            features = photos(np.arange(start, min(start + SCORING_BATCH, count)))
            found = self.search.search(self._features(features), self.config.decoding)
            said += [self.vocabulary.decode(hypotheses[0].ids) for hypotheses in found]
        return said

    def _objective(self) -> Objective:
        config, captions = self.config, self.train_data.captions
        if config.objective == "self_critical":
            return SelfCritical(
                self.search, captions, self.vocabulary, samples=config.samples, seed=config.seed
            )
        length = self.decoder.config.max_length
        return CrossEntropy(CaptionRows(captions, self.vocabulary, max_length=length))

    def _features(self, photos: np.ndarray) -> np.ndarray:
        """Return what the decoder reads: the photos as they come, or encoded just now."""
        return photos if self._encode is None else to_numpy(self._encode(photos))

    def _state(self) -> dict[str, Any]:
        """Every variable the next step depends on, under a name that is stable."""
        variables = [*self.model.variables, *self.model.optimizer.variables]
        return {f"{place:04d}:{v.path}": v for place, v in enumerate(variables)}

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        arrays = {name: to_numpy(variable) for name, variable in self._state().items()}
        arrays |= {f"best:{place:04d}": value for place, value in enumerate(self._best)}
        self.checkpoints.save(arrays, self.progress)

    def _resume(self) -> None:
        found = self.checkpoints.load() if self.checkpoints is not None else None
        if found is None:
            self._tell("start", steps=self.steps, photos=len(self.train_data.captions))
            return
        arrays, self.progress = found
        state = self._state()
        if set(state) != {name for name in arrays if not name.startswith("best:")}:
            raise TrainingError(
                "The checkpoint belongs to a run with other settings; begin a new run."
            )
        for name, variable in state.items():
            variable.assign(arrays[name])
        self._best = [arrays[name] for name in sorted(arrays) if name.startswith("best:")]
        self._tell("resume", steps=self.steps, history=self.progress.history)

    def _tell(self, event: str, **content: Any) -> None:
        progress = {"epoch": self.progress.epoch + 1, "step": self.progress.step}
        self.on_event({"event": event, **progress, "epochs": self.config.epochs, **content})
