"""The model that is trained: a decoder, with its encoder or without, and their loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from captioning.config import TrainingConfig
from captioning.decoders import Decoder
from captioning.decoding import unsayable
from captioning.training.batches import Batch

__all__ = ["TeacherForcing", "as_keras_reads", "averaged_weights", "compile_for_training"]


class TeacherForcing(keras.Model):
    """Predict every word of a caption from the true words before it.

    Args:
        decoder: what is trained.
        encoder: a Keras model from pixels to features, trained along; None if the photos come as
            stored features.
        label_smoothing: share of the target's probability spread evenly over all words (Szegedy et
            al. 2016, https://arxiv.org/abs/1512.00567).
        own_captions: it learns from captions that it drew itself.  The step must then follow the
            gradient of the model that drew, among the words that can be said.  Else a shorter
            draw's better reward is gained by moving all probability to UNK, which is never drawn,
            and the captions fall apart within two epochs.
        teacher_share: what a batch's `expected` words weigh against its true ones.
        dropout: drop numbers in a step as the decoder's settings say.  With `own_captions` the
            gradient is then no longer quite that of the model that drew; it overfits later.
    """

    def __init__(
        self,
        decoder: Decoder,
        encoder: keras.Model | None,
        *,
        label_smoothing: float,
        own_captions: bool = False,
        teacher_share: float = 0.0,
        dropout: bool = True,
    ) -> None:
        super().__init__(name="teacher_forcing")
        self.teacher_share = teacher_share
        self.own_captions = own_captions
        self.dropout = dropout
        self.decoder = decoder
        self.encoder = encoder
        self.label_smoothing = label_smoothing

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """Return logits `(M, V)` at the real words of a batch."""
        features = x["photos"]
        if self.encoder is not None:
            features = self.encoder(features, training=training)
        dropping = training and self.dropout
        memory = self.decoder.remember(features, dropping)
        answers, _, _ = self.decoder.read(memory, x["tokens"], dropping)
        flat = ops.reshape(answers, (-1, answers.shape[-1]))
        if "sentences" in x:
            memory = self.decoder.remember(self.decoder.blank_photo(), dropping)
            answers, _, _ = self.decoder.read(memory, x["sentences"], dropping)
            flat = ops.concatenate([flat, ops.reshape(answers, (-1, answers.shape[-1]))])
        logits = self.decoder.logits(ops.take(flat, x["places"], axis=0))
        if training and self.own_captions:
            logits = logits + unsayable(logits.shape[-1])
        return logits

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Cross-entropy in nats, summed under the weights, which sum to 1 over a batch."""
        log_probs = ops.log_softmax(y_pred, axis=-1)
        said = ops.take_along_axis(log_probs, y[:, None], axis=-1)[:, 0]
        smoothing = self.label_smoothing if training else 0.0
        target = (1.0 - smoothing) * said + smoothing * ops.mean(log_probs, axis=-1)
        if training and "expected" in x:
            taught = ops.sum(x["expected"] * log_probs, axis=-1)
            target = (1.0 - self.teacher_share) * target + self.teacher_share * taught
        return -ops.sum(sample_weight * target)

    def learn(self, batch: Batch) -> float:
        """Take one optimiser step; returns the batch's loss, smoothing included."""
        self.reset_metrics()
        return float(self.train_on_batch(*as_keras_reads(batch), return_dict=True)["loss"])

    def loss_of(self, batch: Batch) -> float:
        """Return the batch's cross-entropy in nats a word, without dropout or smoothing."""
        self.reset_metrics()
        return float(self.test_on_batch(*as_keras_reads(batch), return_dict=True)["loss"])

    def likeliest(self, batch: Batch) -> np.ndarray:
        """Return the word the model finds likeliest at each place of a batch, int64 `(M,)`."""
        inputs, _, _ = as_keras_reads(batch)
        return np.asarray(self.predict_on_batch(inputs).argmax(axis=-1))


class _AveragingAdamW(keras.optimizers.AdamW):
    """AdamW whose running mean of the weights forgets faster in its first steps.

    With a momentum of 0.998 from the start, a run of 150 steps would end with a mean of which three
    quarters are its first step.  Momentum n / (n + 9) after n steps makes the mean one of about the
    last tenth of them.
    """

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        if not self.use_ema:
            return
        steps = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, steps / (steps + 9.0))
        means = self._model_variables_moving_average
        for variable, mean in zip(trainable_variables, means, strict=True):
            mean.assign(momentum * mean + (1.0 - momentum) * variable)


def compile_for_training(model: TeacherForcing, config: TrainingConfig, *, steps: int) -> None:
    """Give `model` the optimiser that `config` describes.

    AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101) with a linear warm-up, then
    a cosine to 1% or a constant rate.  Step n of w warm-up steps has n / (w + 1) of the full rate,
    so that already the first one learns.  The warm-up is at most a quarter of the run.

    Args:
        model: is compiled in place.
        config: the settings.
        steps: optimiser steps of the whole run, the warm-up included.
    """
    warmup = min(config.warmup_steps, steps // 4)
    constant = config.schedule == "constant"
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / (warmup + 1),
        decay_steps=max(steps - warmup, 1),
        alpha=1.0 if constant else 0.01,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = _AveragingAdamW(
        learning_rate=rate,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
        use_ema=config.ema_momentum > 0,
        ema_momentum=config.ema_momentum or 0.99,
        ema_overwrite_frequency=None,
    )
    # XLA makes a training step slower on a CPU; on JAX everything is compiled by it anyway.
    jit = keras.config.backend() == "jax"
    model.compile(optimizer=optimizer, jit_compile=jit)
    optimizer.build(model.trainable_variables)


@contextmanager
def averaged_weights(model: TeacherForcing) -> Iterator[None]:
    """Inside, `model` has the running mean of its weights, if one is kept; outside, its own."""
    if not model.optimizer.use_ema:
        yield
        return
    # Keras' own SwapEMAWeights callback reads the means from the same place.
    pairs = list(
        zip(
            model.trainable_variables,
            model.optimizer._model_variables_moving_average,
            strict=True,
        )
    )
    own = [ops.convert_to_numpy(variable) for variable, _ in pairs]
    for variable, mean in pairs:
        # A copy: JAX would give both variables one buffer and then take it away from both.
        variable.assign(ops.convert_to_numpy(mean))
    try:
        yield
    finally:
        for (variable, _), value in zip(pairs, own, strict=True):
            variable.assign(value)


def as_keras_reads(batch: Batch) -> tuple[dict[str, Any], Any, Any]:
    """Return a batch as Keras takes it: inputs, targets and sample weights."""
    x = {"photos": batch.photos, "tokens": batch.tokens, "places": batch.places}
    if batch.expected is not None:
        x["expected"] = batch.expected
    if batch.sentences is not None:
        x["sentences"] = batch.sentences
    return x, batch.targets, batch.weights
