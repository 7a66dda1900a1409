"""Batch normalisation in one fused operation where the backend has one."""

from typing import Any

import keras

__all__ = ["BatchNormalization"]


@keras.saving.register_keras_serializable(package="captioning")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with the same results, fused into one operation for training on TensorFlow.

    Keras computes the batch mean, the variance and the scaling in separate operations, each of
    which reads the whole map again; on CPUs this memory traffic dominates.  Inference, other
    backends and other axes use Keras' implementation.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise maps `(B, H, W, C)` with batch statistics, or with moving averages."""
        if not (training and self.trainable and mask is None and _has_fused(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        normalized, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The fused operation returns the unbiased variance; Keras stores the biased one.
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * (count - 1) / count)
        return normalized

    def _follow(self, running: Any, batch: Any) -> None:
        running.assign(running * self.momentum + batch * (1.0 - self.momentum))


def _has_fused(inputs: Any) -> bool:
    return keras.backend.backend() == "tensorflow" and len(inputs.shape) == 4
