"""The training loop: train for some epochs, score on dev after each, keep the best weights."""

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from captioning.backend import compiled, to_numpy
from captioning.config import TrainingConfig
from captioning.decoders import Decoder
from captioning.decoding import CaptionSearch
from captioning.errors import TrainingError
from captioning.inference.keras_decoder import KerasDecoder
from captioning.metrics import exact_match
from captioning.prefetch import ahead
from captioning.settings import flattened
from captioning.training.batches import (
    Batch,
    CaptionRows,
    SplitData,
    padded_indices,
    shape_for,
)
from captioning.training.checkpoints import Checkpoints, Progress, check_settings
from captioning.training.dev_scores import DevResult, DevScores
from captioning.training.eta import Pace
from captioning.training.model import TeacherForcing, averaged_weights, compile_for_training
from captioning.training.objectives import CrossEntropy, Objective, SelfCritical
from captioning.training.sentences import Sentences
from captioning.vocabulary import Vocabulary

TrainingEvent = dict[str, Any]
"""A progress report of a run: `event` is "data", "start_scores", "start", "step", "scoring",
"epoch", "filmstrip", "damaged", "resume", "end", "average" or "averaged"."""

CHECKPOINT_SECONDS = 120.0
STEP_EVENT_SECONDS = 1.0
LOSSES_AT_ONCE = 20
"""Steps whose losses are read together, because reading one waits for the device."""
FILMSTRIP = 8
"""Number of dev photos whose captions are reported after each epoch."""


def _digest(content: object) -> str:
    return hashlib.sha256(repr(content).encode(errors="surrogateescape")).hexdigest()[:16]


class _Stopped(Exception):
    """Raised to stop while an epoch is scored."""


class Trainer:
    """Trains a decoder, and its encoder if given, on captioned photos.

    Args:
        config: the settings; the same settings on the same machine give the same weights.
        decoder: a decoder with initial weights.
        encoder: a Keras model from pixels to features, if it is trained too.
        vocabulary: built from the training captions.
        train: the training photos.
        dev: the photos that choose the best epoch; never the test split.
        checkpoints: where checkpoints are kept; None keeps none.
        on_event: called with each `TrainingEvent`.
        on_best: called after each epoch with the best score so far, with its weights in place.
        should_stop: called after every step and scored batch; a true result saves a checkpoint
            and ends `run`.  The time it takes counts as a pause.
        taught: adds the teachers' predictions to a batch of the given training photos.
        sentences: sentences to read with a blank photo in each step (cross_entropy only).
        callbacks: Keras callbacks; they see the model, the loss of each step, and the scores of
            each epoch with `val_loss` for the dev loss.  They may end the run (`EarlyStopping`).
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
        on_best: Callable[[], object] = lambda: None,
        should_stop: Callable[[], bool] = lambda: False,
        taught: Callable[[np.ndarray, Batch], Batch] = lambda indices, batch: batch,
        sentences: Sentences | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
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
        self.on_best = on_best
        self.should_stop = should_stop
        self.taught, self.sentences = taught, sentences
        if sentences is not None:
            # With captions and sentences in one step, cuDNN's LSTM does not learn (docs/gpu.md).
            decoder.recurrent.use_cudnn = False
        length = decoder.config.max_length
        self.train_rows = CaptionRows(train.captions, vocabulary, max_length=length)
        self.steps = -(-train.shown // config.images_per_batch)
        self.model = TeacherForcing.of(config, decoder, encoder)
        self._sampler = KerasDecoder(decoder)
        self.search = CaptionSearch(self._sampler, vocabulary=vocabulary)
        self._encode = compiled(partial(encoder, training=False), encoder) if encoder else None
        self.dev = DevScores(
            self.model,
            search=self.search,
            vocabulary=vocabulary,
            data=dev,
            config=config,
            encode=self.features,
            check=self._check_stop,
        )
        self.objective = self._objective()
        self.callbacks = keras.callbacks.CallbackList(
            list(callbacks), model=self.model, epochs=config.epochs, steps=self.steps, verbose=0
        )
        self.progress = Progress()
        self.pace = Pace()
        self._best: list[np.ndarray] = []
        self._unread: list[Any] = []

    def run(self) -> bool:
        """Train to the last epoch, resuming from the last checkpoint, or until asked to stop.

        At the end the model holds the weights of the epoch with the best dev CIDEr; of epochs with
        the same CIDEr, that with the lowest dev loss.

        Returns:
            Whether the run is complete.

        Raises:
            TrainingError: the loss is not finite, a checkpoint cannot be written, or the
                existing checkpoint has other settings.
        """
        self.prepare()
        self._resume()
        self.pace = Pace(self.progress.seconds)
        self.model.stop_training = False
        self.callbacks.on_train_begin()
        try:
            while self.progress.epoch < self.config.epochs and not self.model.stop_training:
                if not self._epoch():
                    return False
        finally:
            self.callbacks.on_train_end()
        for variable, value in zip(self._weights(), self._best, strict=True):
            variable.assign(value)
        self._emit("end", best_epoch=self.progress.best_epoch, seconds=self.progress.seconds)
        return True

    def best_result(self) -> DevResult:
        """Return the scores of the weights after `run`, without the captions."""
        return DevResult.from_record(self.progress.history[self.progress.best_epoch])

    def dev_result(self) -> DevResult | None:
        """Score the current weights on dev; None if the run is asked to stop meanwhile.

        Needs `prepare`, or `run`.
        """
        try:
            return self.dev.result()
        except _Stopped:
            return None

    def prepare(self) -> None:
        """Compile the model with its optimizer; `run` calls this itself."""
        compile_for_training(self.model, self.config, steps=self.steps * self.config.epochs)

    def _weights(self) -> list[Any]:
        """Return all weights that a bundle stores, including batch statistics."""
        encoder = self.encoder.weights if self.encoder is not None else []
        return [*self.decoder.weights, *encoder]

    def groups(self, epoch: int) -> list[np.ndarray]:
        """Return the photos of each step of an epoch; their order depends only on its number."""
        random = np.random.default_rng((self.config.seed, epoch))
        return self.train_data.groups(self.config.images_per_batch, random)

    def batch(self, indices: np.ndarray, inputs: np.ndarray) -> Batch:
        """Return the batch for a step on the given training photos."""
        critical = self.config.objective == "self_critical"
        if critical:
            self.model.sync()  # captions are sampled from the current weights
        features = self.features(inputs) if critical else inputs
        return self.objective.batch(indices % len(self.train_data.captions), inputs, features)

    def _epoch(self) -> bool:
        """Run the rest of the current epoch; return whether it finished."""
        epoch = self.progress.epoch
        self.callbacks.on_epoch_begin(epoch)
        coming = self.groups(epoch)[self.progress.step :]
        reported = saved = time.monotonic()
        batches = ahead(self.train_data.photos, [self._padded(indices) for indices in coming])
        for indices, inputs in zip(coming, batches, strict=True):
            self.callbacks.on_train_batch_begin(self.progress.step)
            loss = self._step(indices, inputs)
            self.callbacks.on_train_batch_end(self.progress.step - 1, {"loss": loss})
            if time.monotonic() - reported > STEP_EVENT_SECONDS:
                self._emit_step(loss)
                reported = time.monotonic()
            stop = self._should_stop()
            if stop or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
            if stop:
                return False
        try:
            self._finish_epoch()
        except _Stopped:
            self._save()  # all steps are done: a resumed run starts with the scores
            return False
        record = self.progress.history[-1]
        figures = {n: value for n, value in record.items() if isinstance(value, (int, float))}
        self.callbacks.on_epoch_end(epoch, {**figures, "val_loss": record["dev_loss"]})
        self._save()
        return True

    def _padded(self, indices: np.ndarray) -> np.ndarray:
        """Repeat a photo until the last batch of an epoch has the size of the others.

        Repeated photos would change the batch statistics of an encoder in training.
        """
        count = min(self.config.images_per_batch, self.train_data.shown)
        return indices if self.encoder is not None else padded_indices(indices, count)

    def _step(self, indices: np.ndarray, inputs: np.ndarray) -> Any:
        progress = self.progress
        loss = self.model.learn(self.batch(indices, inputs))
        if self.callbacks.callbacks:
            self.model.sync()
        progress.step += 1
        progress.reward_sum += self.objective.reward
        self._unread.append(loss)
        if isinstance(loss, float) or len(self._unread) >= LOSSES_AT_ONCE:
            self._read_losses()
        self.pace.stepped()
        progress.seconds = self.pace.seconds
        return loss

    def _read_losses(self) -> None:
        progress = self.progress
        losses, self._unread = self._unread, []
        for step, loss in enumerate(map(float, losses), start=progress.step - len(losses)):
            if not np.isfinite(loss):
                progress.step = step
                before = f"{progress.loss_sum / step:.3f}" if step else "unknown"
                raise TrainingError(
                    f"The loss became {loss} in epoch {progress.epoch + 1}, step {step + 1}; "
                    f"its mean before that was {before}. A lower learning rate than "
                    f"{self.config.learning_rate:g} usually helps."
                )
            progress.loss_sum += loss

    def _should_stop(self) -> bool:
        with self.pace.halted():
            return self.should_stop()

    def _finish_epoch(self) -> None:
        progress = self.progress
        self._read_losses()
        self._emit("scoring")
        with averaged_weights(self.model), self.pace.scoring():
            dev = self.dev.result()
            hypotheses = dev.hypotheses
            record: dict[str, Any] = {
                "epoch": progress.epoch + 1,
                "loss": progress.loss_sum / max(progress.step, 1),
                "reward": progress.reward_sum / max(progress.step, 1),
                "dev_loss": dev.loss,
                "learning_rate": self.learning_rate(),
                **dev.as_dict(),
                "forced_bleu_4": self.dev.forced_scores().bleu_4,
                "exact_match": 100
                * exact_match(hypotheses, self.dev_data.captions[: len(hypotheses)]),
            }
            progress.history.append(record)
            if dev.rank > (progress.best, -progress.best_loss):
                progress.best, progress.best_loss = dev.rank[0], dev.loss
                progress.best_epoch = progress.epoch
                self._best = [to_numpy(variable) for variable in self._weights()]
                progress.seconds = self.pace.seconds
                self.on_best()
        progress.seconds = self.pace.seconds
        names = list(self.dev_data.names[:FILMSTRIP])
        self._emit("filmstrip", photos=names, captions=hypotheses[:FILMSTRIP])
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.loss_sum = progress.reward_sum = 0.0
        best = progress.best_epoch + 1
        self._emit("epoch", **record, best_epoch=best, seconds=progress.seconds)

    def _check_stop(self) -> None:
        if self._should_stop():
            raise _Stopped

    def _objective(self) -> Objective:
        config, captions = self.config, self.train_data.captions
        if config.objective == "self_critical":
            return SelfCritical(
                self._sampler, captions, self.vocabulary, samples=config.samples, seed=config.seed
            )
        photos = len(self.train_data.captions)
        epochs = (self.groups(epoch) for epoch in range(config.epochs))
        shape = shape_for(self.train_rows.rows, (group % photos for e in epochs for group in e))
        return CrossEntropy(self.train_rows, self.taught, self.sentences, shape)

    def features(self, photos: np.ndarray) -> np.ndarray:
        """Return the input of the decoder: the photos unchanged, or encoded by the encoder."""
        return photos if self._encode is None else to_numpy(self._encode(photos))

    def _state(self) -> dict[str, Any]:
        """Return every variable that the next step depends on, in a stable order."""
        self.model.sync()
        variables = [*self.model.variables, *self.model.optimizer.variables]
        return {f"{place:04d}:{v.path}": v for place, v in enumerate(variables)}

    def _settings(self) -> dict[str, Any]:
        """Return the settings and data digests that the next step depends on, by dotted name."""
        flat = flattened(self.config.to_dict())
        return {
            **flat,
            "training photos": len(self.train_data.captions),
            "data digest": _digest(
                [(list(d.names), list(d.captions)) for d in (self.train_data, self.dev_data)]
            ),
            "vocabulary digest": _digest(self.vocabulary.words),
        }

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        self._read_losses()
        arrays = {name: to_numpy(variable) for name, variable in self._state().items()}
        arrays |= {f"best:{place:04d}": value for place, value in enumerate(self._best)}
        self.progress.settings = self._settings()
        self.checkpoints.save(arrays, self.progress)

    def _resume(self) -> None:
        found = self.checkpoints.load() if self.checkpoints is not None else None
        for name in self.checkpoints.damaged if self.checkpoints is not None else ():
            self._emit("damaged", checkpoint=name)
        if found is None:
            photos, words = len(self.train_data.captions), len(self.vocabulary)
            self._emit("start", steps=self.steps, photos=photos, words=words)
            return
        arrays, progress = found
        check_settings(progress.settings, self._settings())
        self.progress = progress
        # By position, not by name: Keras numbers names by all models that the process has created.
        stored = [arrays[name] for name in sorted(arrays) if not name.startswith("best:")]
        variables = list(self._state().values())
        if [value.shape for value in stored] != [tuple(v.shape) for v in variables]:
            raise TrainingError(
                "The checkpoint belongs to a run with other settings; start a new run."
            )
        for variable, value in zip(variables, stored, strict=True):
            variable.assign(value)
        self._best = [arrays[name] for name in sorted(arrays) if name.startswith("best:")]
        self._emit("resume", steps=self.steps, history=self.progress.history)

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        self.model.sync()
        return float(to_numpy(self.model.optimizer.learning_rate))

    def _emit_step(self, loss: Any) -> None:
        self._read_losses()
        done = self.progress.epoch * self.steps + self.progress.step
        left = self.pace.left(
            steps=self.steps * self.config.epochs - done,
            epochs=self.config.epochs - self.progress.epoch,
        )
        self._emit(
            "step",
            loss=float(loss),
            steps=self.steps,
            rate=self.pace.rate,
            seconds_left=left,
            learning_rate=self.learning_rate(),
        )

    def _emit(self, event: str, **content: Any) -> None:
        progress = {"epoch": self.progress.epoch + 1, "step": self.progress.step}
        self.on_event({"event": event, **progress, "epochs": self.config.epochs, **content})
