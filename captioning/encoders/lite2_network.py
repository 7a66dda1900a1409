"""EfficientNet-Lite2 as a Keras network."""

from typing import Any

import keras
from keras import layers

from captioning.config import EncoderConfig
from captioning.encoders.efficientnetlite2 import HEAD, STEM, Block, blocks, lite2_arrays

BATCH_EPSILON = 1e-3


def build_lite2(size: int) -> keras.Model:
    """Build the network up to its last feature map, with random weights.

    Args:
        size: side of the square photo, in pixels; a multiple of 32 is usual.

    Returns:
        A model from pixels 0 to 255, `(B, S, S, 3)`, to features `(B, R, 1280)`; 224 pixels give
        `R = 49` regions.
    """
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
    return keras.Model(pixels, regions, name="efficientnetlite2")


def load_lite2(size: int) -> keras.Model:
    """Build the network with its ImageNet weights.

    Raises:
        WeightsError: their package is not installed, or its file is damaged.
    """
    network = build_lite2(size)
    arrays = lite2_arrays()
    for variable in network.weights:
        variable.assign(arrays["/".join(variable.path.split("/")[-2:])])
    return network


def build_encoder(config: EncoderConfig, random_weights: bool) -> keras.Model:
    """Build the network for the registry.

    Raises:
        WeightsError: as `load_lite2`.
    """
    size = int(config.input_size or 224)
    return build_lite2(size) if random_weights else load_lite2(size)


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
