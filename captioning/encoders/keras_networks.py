"""The networks that `keras.applications` lacks: the compact encoder and EfficientNet-Lite2."""

from typing import Any

import keras
from keras import layers

from captioning.config import EncoderConfig
from captioning.encoders.efficientnetlite2 import HEAD, STEM, Block, blocks, lite2_arrays
from captioning.encoders.registry import COMPACT_BLOCKS

BATCH_MOMENTUM, BATCH_EPSILON = 0.95, 1e-3


def build_compact(config: EncoderConfig, random_weights: bool) -> keras.Model:
    """Build the compact encoder with initial weights; trained ones come with a model.

    It is a small network of separable convolutions, trained by this project.  A stem and four
    stages halve the map five times, so 224 pixels become 7x7 regions; each stage doubles the
    channels.  A stage consists of a separable convolution with stride 2 and residual blocks, as in
    Xception (Chollet 2017, https://arxiv.org/abs/1610.02357).  Maps of small images, such as the
    generated shapes, are not reduced below 8x8 regions.

    Args:
        config: `input_size` in pixels and `width`, the channels of the stem.
        random_weights: has no effect.

    Returns:
        A model from pixels 0 to 255, `(B, S, S, 3)`, to features `(B, R, D)`, `D = 16 * width`.
    """
    size = int(config.input_size or 224)
    pixels = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(pixels)
    x = layers.Conv2D(config.width, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(
        x
    )
    x = BatchNormalization(momentum=BATCH_MOMENTUM, name="stem_norm")(x)
    for stage, repeats in enumerate(COMPACT_BLOCKS):
        channels = config.width * 2 ** (stage + 1)
        # Small images keep at least 8x8 regions, so that attention has something to choose from.
        stride = 2 if x.shape[1] > 8 else 1
        x = _separable(x, channels, stride, f"stage{stage + 1}_down")
        for block in range(repeats):
            x = layers.Add(name=f"stage{stage + 1}_sum{block + 1}")(
                [x, _separable(x, channels, 1, f"stage{stage + 1}_block{block + 1}")]
            )
    x = layers.Activation("relu", name="map")(x)
    regions = layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="regions")(x)
    return keras.Model(pixels, regions, name="compact")


def _separable(x: Any, channels: int, stride: int, name: str) -> Any:
    """ReLU, a 3x3 depthwise and a 1x1 pointwise convolution, batch normalisation."""
    x = layers.Activation("relu", name=f"{name}_relu")(x)
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(x)
    return BatchNormalization(momentum=BATCH_MOMENTUM, name=f"{name}_norm")(x)


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


def build_lite2(config: EncoderConfig, random_weights: bool) -> keras.Model:
    """Build EfficientNet-Lite2 up to its last feature map.

    Args:
        config: `input_size` in pixels; a multiple of 32 is usual.
        random_weights: use random instead of ImageNet weights.

    Returns:
        A model from pixels 0 to 255, `(B, S, S, 3)`, to features `(B, R, 1280)`; 224 pixels give
        `R = 49` regions.

    Raises:
        WeightsError: the package with the weights is not installed, or its file is damaged.
    """
    size = int(config.input_size or 224)
    pixels = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(pixels)
    x = layers.Conv2D(STEM, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(x)
    x = _normalized(x, "stem")
    for number, block in enumerate(blocks(), start=1):
        x = _inverted_residual(x, block, f"block{number}")
    x = layers.Conv2D(HEAD, 1, use_bias=False, name="head_conv")(x)
    x = _normalized(x, "head")
    x = layers.Activation("linear", name="map")(x)
    regions = layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="regions")(x)
    network = keras.Model(pixels, regions, name="efficientnetlite2")
    if not random_weights:
        arrays = lite2_arrays()
        for variable in network.weights:
            variable.assign(arrays["/".join(variable.path.split("/")[-2:])])
    return network


def _normalized(x: Any, name: str, activation: bool = True) -> Any:
    x = layers.BatchNormalization(epsilon=BATCH_EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activation else x


def _inverted_residual(x: Any, block: Block, name: str) -> Any:
    """1x1 expansion, depthwise convolution, 1x1 projection; residual if the shapes match."""
    entering = x
    if block.expansion > 1:
        wide = block.inputs * block.expansion
        x = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand")(x)
        x = _normalized(x, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        block.kernel, block.stride, "same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _normalized(x, f"{name}_depthwise")
    x = layers.Conv2D(block.outputs, 1, use_bias=False, name=f"{name}_project")(x)
    x = _normalized(x, f"{name}_project", activation=False)
    if block.stride == 1 and block.inputs == block.outputs:
        x = layers.Add(name=f"{name}_sum")([entering, x])
    return x
