"""The training loop: epochs of steps, a score on dev after each, the best weights kept."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from captioning.backend import compiled, to_numpy
from captioning.config import TrainingConfig, flattened
from captioning.decoders import Decoder
from captioning.decoding import CaptionSearch
from captioning.errors import TrainingError
from captioning.inference.keras_decoder import KerasDecoder
from captioning.metrics import CaptionScores, score_captions
from captioning.metrics.exact import exact_match
from captioning.prefetch import ahead
from captioning.training.batches import Batch, CaptionRows, PhotoSource, make_batch
from captioning.training.checkpoints import Checkpoints, Progress, check_settings
from captioning.training.eta import Pace
from captioning.training.model import TeacherForcing, averaged_weights, compile_for_training
from captioning.training.objectives import CrossEntropy, Objective, SelfCritical
from captioning.training.sentences import Sentences
from captioning.vocabulary import PAD, Vocabulary

__all__ = ["SplitData", "Trainer", "TrainingEvent"]

TrainingEvent = dict[str, Any]
"""What a run tells while it goes: `event` is "data", "start", "step", "scoring", "epoch", 
"filmstrip", "damaged", "resume" or "end"."""

CHECKPOINT_SECONDS = 120.0
STEP_EVENT_SECONDS = 1.0
SCORING_BATCH = 50
FILMSTRIP = 8
"""Dev photos whose captions are shown after each epoch."""


def _digest(content: object) -> str:
    return hashlib.sha256(repr(content).encode(errors="surrogateescape")).hexdigest()[:16]


class _StopAsked(Exception):
    """Leaves the scoring of an epoch, however deep it is in it."""


@dataclass(frozen=True)
class SplitData:
    """One split as training reads it.

    Attributes:
        photos: gives features or pixels by index.
        captions: for each photo its captions, raw.
        names: what the photos are called, if anybody is to be told.
        crops: so many crops of each photo `photos` gives too: of n photos, crop k of photo i at
            the index k * n + i.
        can_flip: bool `(photos,)`, which photos are shown mirrored too; None if none is.  Mirrored
            views follow all others, in the same order.
        repeats: int64 `(photos,)`, how often an epoch shows each photo; None for once.
        sources: name and number of photos of each data set, in order; empty for a single one.
    """

    photos: PhotoSource
    captions: Sequence[Sequence[str]]
    names: Sequence[str] = ()
    crops: int = 0
    can_flip: np.ndarray | None = None
    repeats: np.ndarray | None = None
    sources: Sequence[tuple[str, int]] = ()

    @property
    def shown(self) -> int:
        """How many photos an epoch shows, repeated ones included."""
        return len(self.captions) if self.repeats is None else int(self.repeats.sum())

    def names_by_source(self) -> list[Sequence[str]]:
        """Return the names of the photos of each data set."""
        if not self.sources:
            return [self.names]
        ends = np.cumsum([count for _, count in self.sources])
        return [self.names[e - n : e] for (_, n), e in zip(self.sources, ends, strict=True)]


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
        on_best: is called whenever an epoch was the best so far, with its weights in place.
        should_stop: is asked after every step and every batch that is scored; the run then saves a
            checkpoint and returns.  It may take its time to answer: that is a pause.
        taught: adds to a batch of some training photos what teachers expect there.
        sentences: read along with a blank photo in each step (cross_entropy only).
        callbacks: Keras' own; they see the model, the loss of each step, and the figures of each
            epoch with `val_loss` for the loss on dev.  One may end the run (`EarlyStopping`).
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
        self.taught = taught
        self.sentences = sentences
        length = decoder.config.max_length
        self.train_rows = CaptionRows(train.captions, vocabulary, max_length=length)
        self._dev_rows = CaptionRows(dev.captions, vocabulary, max_length=length).rows
        self.steps = -(-train.shown // config.images_per_batch)
        critical = config.objective == "self_critical"
        self.model = TeacherForcing(
            decoder,
            encoder,
            # Spread over all words it would reward those that cannot be said.
            label_smoothing=0.0 if critical else config.label_smoothing,
            own_captions=critical,
            teacher_share=config.teacher_share,
            dropout=config.critical_dropout or not critical,
        )
        self.search = CaptionSearch(KerasDecoder(decoder), vocabulary=vocabulary)
        self._encode = compiled(partial(encoder, training=False), encoder) if encoder else None
        self.objective = self._objective()
        self.callbacks = keras.callbacks.CallbackList(
            list(callbacks), model=self.model, epochs=config.epochs, steps=self.steps, verbose=0
        )
        self.progress = Progress()
        self.pace = Pace()
        self._best: list[np.ndarray] = []

    def run(self) -> bool:
        """Train to the last epoch, or until asked to stop; continues from the last checkpoint.

        At the end the model holds the weights of the epoch with the best dev CIDEr.

        Returns:
            Whether the run is complete.

        Raises:
            TrainingError: the loss is not a number, a checkpoint cannot be written, or the one
                found was trained with other settings.
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
        self._tell("end", best_epoch=self.progress.best_epoch, seconds=self.progress.seconds)
        return True

    def prepare(self) -> None:
        """Give the model its optimiser; `run` does it by itself."""
        compile_for_training(self.model, self.config, steps=self.steps * self.config.epochs)

    def _weights(self) -> list[Any]:
        """All weights a bundle stores: also those not trained, such as batch statistics."""
        encoder = self.encoder.weights if self.encoder is not None else []
        return [*self.decoder.weights, *encoder]

    def groups(self, epoch: int) -> list[np.ndarray]:
        """Return the photos of each step of an epoch, in an order that its number alone fixes.

        Of n photos, an index of n or more is another view of one than as it is.
        """
        data = self.train_data
        photos, shown, can_flip = len(data.captions), data.shown, data.can_flip
        random = np.random.default_rng((self.config.seed, epoch))
        order = random.permutation(
            np.repeat(np.arange(photos), 1 if data.repeats is None else data.repeats)
        )
        views = np.zeros(shown, np.int64)
        if can_flip is not None:
            views += (data.crops + 1) * (can_flip[order] & (random.random(shown) < 0.5))
        if data.crops:
            crops = random.integers(1, data.crops + 1, shown)
            views += np.where(random.random(shown) < 0.5, crops, 0)
        order = order + photos * views
        size = self.config.images_per_batch
        return [order[start : start + size] for start in range(0, len(order), size)]

    def batch(self, indices: np.ndarray, inputs: np.ndarray) -> Batch:
        """Make what a step on some training photos reads, the photos themselves already read."""
        critical = self.config.objective == "self_critical"
        features = self.features(inputs) if critical else inputs
        return self.objective.batch(indices % len(self.train_data.captions), inputs, features)

    def _epoch(self) -> bool:
        """Run what is left of the epoch under way; returns whether it came to its end."""
        epoch = self.progress.epoch
        self.callbacks.on_epoch_begin(epoch)
        coming = self.groups(epoch)[self.progress.step :]
        told = saved = time.monotonic()
        for indices, inputs in zip(coming, ahead(self.train_data.photos, coming), strict=True):
            self.callbacks.on_train_batch_begin(self.progress.step)
            loss = self._step(indices, inputs)
            self.callbacks.on_train_batch_end(self.progress.step - 1, {"loss": loss})
            if time.monotonic() - told > STEP_EVENT_SECONDS:
                self._tell_step(loss)
                told = time.monotonic()
            stop = self._stop_asked()
            if stop or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
            if stop:
                return False
        try:
            self._finish_epoch()
        except _StopAsked:
            self._save()  # all steps of the epoch are done: going on begins with its scores
            return False
        record = self.progress.history[-1]
        figures = {n: value for n, value in record.items() if isinstance(value, (int, float))}
        self.callbacks.on_epoch_end(epoch, {**figures, "val_loss": record["dev_loss"]})
        self._save()
        return True

    def _step(self, indices: np.ndarray, inputs: np.ndarray) -> float:
        progress = self.progress
        loss = self.model.learn(self.batch(indices, inputs))
        if not np.isfinite(loss):
            before = f"{progress.loss_sum / progress.step:.3f}" if progress.step else "unknown"
            raise TrainingError(
                f"The loss became {loss} in epoch {progress.epoch + 1}, step {progress.step + 1}; "
                f"its mean over the epoch before that was {before}. A lower learning rate than "
                f"{self.config.learning_rate:g} usually helps."
            )
        progress.step += 1
        progress.loss_sum += loss
        progress.reward_sum += self.objective.reward
        self.pace.stepped()
        progress.seconds = self.pace.seconds
        return loss

    def _stop_asked(self) -> bool:
        with self.pace.halted():
            return self.should_stop()

    def _finish_epoch(self) -> None:
        progress = self.progress
        self._tell("scoring")
        with averaged_weights(self.model), self.pace.scoring():
            dev_loss = self.dev_loss()
            said = self._dev_captions()
            scores, by_source = self._score(said)
            record: dict[str, Any] = {
                "epoch": progress.epoch + 1,
                "loss": progress.loss_sum / max(progress.step, 1),
                "reward": progress.reward_sum / max(progress.step, 1),
                "dev_loss": dev_loss,
                "learning_rate": self.learning_rate(),
                **scores.as_dict(),
                "forced_bleu_4": self.forced_scores().bleu_4,
                "exact_match": 100 * exact_match(said, self.dev_data.captions[: len(said)]),
            }
            chosen_by = scores.cider
            if by_source:
                record["by_data"] = {n: s.as_dict() for n, s in by_source.items()}
                chosen_by = float(np.mean([s.cider for s in by_source.values()]))
            progress.history.append(record)
            if chosen_by > progress.best:
                progress.best, progress.best_epoch = chosen_by, progress.epoch
                self._best = [to_numpy(variable) for variable in self._weights()]
                progress.seconds = self.pace.seconds
                self.on_best()
        progress.seconds = self.pace.seconds
        names = list(self.dev_data.names[:FILMSTRIP])
        self._tell("filmstrip", photos=names, captions=said[:FILMSTRIP])
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.loss_sum = progress.reward_sum = 0.0
        self._tell("epoch", **record, seconds=progress.seconds)

    def dev_loss(self) -> float:
        """Cross-entropy on dev in nats a word, under teacher forcing."""
        size = self.config.images_per_batch
        total = words = 0.0
        for start in range(0, len(self._dev_rows), size):
            self._leave_if_asked()
            indices = np.arange(start, min(start + size, len(self._dev_rows)))
            batch = make_batch(self.dev_data.photos(indices), self._dev_rows[indices])
            total += self.model.loss_of(batch) * batch.words
            words += batch.words
        return total / max(words, 1)

    def _score(self, hypotheses: Sequence[str]) -> tuple[CaptionScores, dict[str, CaptionScores]]:
        """Score captions of all dev photos together, and those of each data set where it has some.

        Several data sets choose the epoch by the mean of their CIDEr, so that a large one does not
        decide alone.
        """
        references = self.dev_data.captions
        by_source: dict[str, CaptionScores] = {}
        start = 0
        for name, count in self.dev_data.sources:
            part = slice(start, min(start + count, len(hypotheses)))
            if part.start < part.stop:
                by_source[name] = score_captions(hypotheses[part], references[part])
            start += count
        return score_captions(hypotheses, references[: len(hypotheses)]), by_source

    def dev_scores(self) -> CaptionScores:
        """Score the captions the model writes by itself for (some) dev photos."""
        said = self._dev_captions()
        return score_captions(said, self.dev_data.captions[: len(said)])

    def forced_scores(self) -> CaptionScores:
        """Score the words the model says for the same photos when it reads true ones before each.

        Each photo's first caption is read to it.  The distance to `dev_scores` is what the model
        loses by having to go on from its own words.
        """
        count, size = self._dev_count(), self.config.images_per_batch
        said: list[str] = []
        for start in range(0, count, size):
            self._leave_if_asked()
            indices = np.arange(start, min(start + size, count))
            batch = make_batch(self.dev_data.photos(indices), self._dev_rows[indices, :1])
            ids = np.full(batch.tokens.size, PAD, np.int64)
            ids[batch.places[: batch.words]] = self.model.likeliest(batch)[: batch.words]
            said += [self.vocabulary.decode(row) for row in ids.reshape(len(indices), -1)]
        return score_captions(said, self.dev_data.captions[:count])

    def _dev_count(self) -> int:
        return min(self.config.score_images or len(self._dev_rows), len(self._dev_rows))

    def _dev_captions(self) -> list[str]:
        return self.captions(self.dev_data.photos, self._dev_count())

    def _leave_if_asked(self) -> None:
        if self._stop_asked():
            raise _StopAsked

    def captions(self, photos: PhotoSource, count: int) -> list[str]:
        """Write captions for the first `count` photos."""
        said: list[str] = []
        for start in range(0, count, SCORING_BATCH):
            self._leave_if_asked()
            features = photos(np.arange(start, min(start + SCORING_BATCH, count)))
            found = self.search.search(self.features(features), self.config.decoding)
            said += [self.vocabulary.decode(hypotheses[0].ids) for hypotheses in found]
        return said

    def _objective(self) -> Objective:
        config, captions = self.config, self.train_data.captions
        if config.objective == "self_critical":
            return SelfCritical(
                self.search, captions, self.vocabulary, samples=config.samples, seed=config.seed
            )
        return CrossEntropy(self.train_rows, self.taught, self.sentences)

    def features(self, photos: np.ndarray) -> np.ndarray:
        """Return what the decoder reads: the photos as they come, or encoded just now."""
        return photos if self._encode is None else to_numpy(self._encode(photos))

    def _state(self) -> dict[str, Any]:
        """Every variable the next step depends on, in an order that is stable."""
        variables = [*self.model.variables, *self.model.optimizer.variables]
        return {f"{place:04d}:{v.path}": v for place, v in enumerate(variables)}

    def _settings(self) -> dict[str, Any]:
        """Return by dotted name everything that the next step depends on besides the weights."""
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
        arrays = {name: to_numpy(variable) for name, variable in self._state().items()}
        arrays |= {f"best:{place:04d}": value for place, value in enumerate(self._best)}
        self.progress.settings = self._settings()
        self.checkpoints.save(arrays, self.progress)

    def _resume(self) -> None:
        found = self.checkpoints.load() if self.checkpoints is not None else None
        for name in self.checkpoints.damaged if self.checkpoints is not None else ():
            self._tell("damaged", checkpoint=name)
        if found is None:
            photos, words = len(self.train_data.captions), len(self.vocabulary)
            self._tell("start", steps=self.steps, photos=photos, words=words)
            return
        arrays, progress = found
        check_settings(progress.settings, self._settings())
        self.progress = progress
        # By place and not by name: Keras numbers names by what else the process has made before.
        stored = [arrays[name] for name in sorted(arrays) if not name.startswith("best:")]
        variables = list(self._state().values())
        if [value.shape for value in stored] != [tuple(v.shape) for v in variables]:
            raise TrainingError(
                "The checkpoint belongs to a run with other settings; begin a new run."
            )
        for variable, value in zip(variables, stored, strict=True):
            variable.assign(value)
        self._best = [arrays[name] for name in sorted(arrays) if name.startswith("best:")]
        self._tell("resume", steps=self.steps, history=self.progress.history)

    def learning_rate(self) -> float:
        """Return the step size of the next step."""
        return float(to_numpy(self.model.optimizer.learning_rate))

    def _tell_step(self, loss: float) -> None:
        done = self.progress.epoch * self.steps + self.progress.step
        left = self.pace.left(
            steps=self.steps * self.config.epochs - done,
            epochs=self.config.epochs - self.progress.epoch,
        )
        self._tell(
            "step",
            loss=loss,
            steps=self.steps,
            rate=self.pace.rate,
            seconds_left=left,
            learning_rate=self.learning_rate(),
        )

    def _tell(self, event: str, **content: Any) -> None:
        progress = {"epoch": self.progress.epoch + 1, "step": self.progress.step}
        self.on_event({"event": event, **progress, "epochs": self.config.epochs, **content})
