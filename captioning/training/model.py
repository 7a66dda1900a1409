"""The Keras model for training: a decoder, optionally with its encoder, and the loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from captioning.backend import StepsOnDevice
from captioning.config import TrainingConfig
from captioning.decoders import Decoder
from captioning.decoding import unsayable
from captioning.training.batches import Batch


class TeacherForcing(keras.Model):
    """Predicts each word of a caption from the true words before it.

    Args:
        decoder: the decoder to train.
        encoder: a Keras model from pixels to features, trained jointly; None if the photos are
            stored features.
        label_smoothing: share of the target's probability spread evenly over all words (Szegedy et
            al. 2016, https://arxiv.org/abs/1512.00567).
        own_captions: whether it learns from captions that it sampled itself.  The gradient is then
            that of the sampling distribution, which excludes special tokens; otherwise the model
            moves all probability to UNK, which is never sampled, and captions degrade within two
            epochs.
        teacher_share: weight of a batch's `expected` probabilities relative to its true words.
        dropout: whether to apply the decoder's dropout.  With `own_captions`, dropout makes the
            gradient approximate but delays overfitting.
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
        self._steps = StepsOnDevice(self) if keras.config.backend() == "jax" else None

    @classmethod
    def of(cls, config: TrainingConfig, decoder: Decoder, encoder: keras.Model | None) -> Self:
        """Return the model that the settings of a run describe."""
        critical = config.objective == "self_critical"
        return cls(
            decoder,
            encoder,
            # Smoothing over all words would reward words that captions never use.
            label_smoothing=0.0 if critical else config.label_smoothing,
            own_captions=critical,
            teacher_share=config.teacher_share,
            dropout=config.critical_dropout or not critical,
        )

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """Return logits `(M, V)` for the real words of a batch."""
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
        """Return the weighted sum of the cross-entropy in nats; weights sum to 1 over a batch."""
        log_probs = ops.log_softmax(y_pred, axis=-1)
        log_prob = ops.take_along_axis(log_probs, y[:, None], axis=-1)[:, 0]
        smoothing = self.label_smoothing if training else 0.0
        target = (1.0 - smoothing) * log_prob + smoothing * ops.mean(log_probs, axis=-1)
        if training and "expected" in x:
            taught = ops.sum(x["expected"] * log_probs, axis=-1)
            target = (1.0 - self.teacher_share) * target + self.teacher_share * taught
        return -ops.sum(sample_weight * target)

    def learn(self, batch: Batch) -> Any:
        """Take one optimizer step; return the batch's loss, including label smoothing.

        The loss is a float, but on JAX an array on the device, so that nothing waits for the step.
        There, `sync` updates the variables.
        """
        if self._steps is not None:
            return self._steps.step(as_keras_reads(batch))
        self.reset_metrics()
        return float(self.train_on_batch(*as_keras_reads(batch), return_dict=True)["loss"])

    def sync(self) -> None:
        """Update the variables with the steps taken."""
        if self._steps is not None:
            self._steps.sync()

    def loss_of(self, batch: Batch) -> float:
        """Return the batch's cross-entropy in nats per word, without dropout or smoothing."""
        self.sync()
        self.reset_metrics()
        return float(self.test_on_batch(*as_keras_reads(batch), return_dict=True)["loss"])

    def likeliest(self, batch: Batch) -> np.ndarray:
        """Return the most probable word at each position of a batch, int64 `(M,)`."""
        self.sync()
        inputs, _, _ = as_keras_reads(batch)
        return np.asarray(self.predict_on_batch(inputs).argmax(axis=-1))


class _AveragingAdamW(keras.optimizers.AdamW):
    """AdamW whose moving average of the weights has a lower momentum in the first steps.

    With a constant momentum of 0.998, the initial weights would make up three quarters of the
    average after 150 steps.  A momentum of n / (n + 9) after n steps averages over about the last
    tenth of the steps.
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
    """Compile `model` with the optimizer that `config` describes.

    AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101) with a linear warm-up, then
    cosine decay to 1% or a constant rate.  Step n of w warm-up steps has n / (w + 1) of the full
    rate, so that the first step already learns.  The warm-up takes at most a quarter of the run.

    Args:
        model: compiled in place.
        config: the settings.
        steps: optimizer steps of the whole run, including the warm-up.
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
        name="adamw",  # TensorFlow takes no name that begins with an underscore
        learning_rate=rate,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
        use_ema=config.ema_momentum > 0,
        ema_momentum=config.ema_momentum or 0.99,
        ema_overwrite_frequency=None,
    )
    # XLA makes training steps slower on a CPU; JAX always compiles with it.
    jit = keras.config.backend() == "jax"
    model.compile(optimizer=optimizer, jit_compile=jit)
    optimizer.build(model.trainable_variables)


@contextmanager
def averaged_weights(model: TeacherForcing) -> Iterator[None]:
    """Within the block, use the moving average of the weights, if there is one."""
    model.sync()
    if not model.optimizer.use_ema:
        yield
        return
    # Keras' SwapEMAWeights callback reads the averages from the same place.
    pairs = list(
        zip(
            model.trainable_variables,
            model.optimizer._model_variables_moving_average,
            strict=True,
        )
    )
    own = [ops.convert_to_numpy(variable) for variable, _ in pairs]
    for variable, mean in pairs:
        # A copy: JAX would share one buffer between both variables and then free it for both.
        variable.assign(ops.convert_to_numpy(mean))
    try:
        yield
    finally:
        for (variable, _), value in zip(pairs, own, strict=True):
            variable.assign(value)


def as_keras_reads(batch: Batch) -> tuple[dict[str, Any], Any, Any]:
    """Return a batch in Keras' form: inputs, targets and sample weights."""
    x = {"photos": batch.photos, "tokens": batch.tokens, "places": batch.places}
    if batch.expected is not None:
        x["expected"] = batch.expected
    if batch.sentences is not None:
        x["sentences"] = batch.sentences
    return x, batch.targets, batch.weights
