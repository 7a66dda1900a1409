"""The registry of encoders: their layers, feature shapes and files of weights.

This module does not import Keras, so pages can list encoders quickly.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioning.config import EncoderConfig
from captioning.errors import ConfigError, WeightsError, quoted

PREPROCESSING = "squash-bicubic"
"""How a photo becomes a square: resized without cropping, like the training photos."""

COMPACT_BLOCKS = (1, 2, 3, 2)
"""Residual blocks per stage of the compact encoder, after the convolution with stride 2."""


Shape = Callable[[EncoderConfig, int], tuple[int, ...]]
"""Maps the settings and the input size in pixels to `(R, D)`, or to `(D,)` if pooled."""


def regions(side: Callable[[int], int], channels: int) -> Shape:
    """Describe a map; `side` returns the number of regions per row for an input size."""
    return lambda config, size: (side(size) ** 2, channels)


def pooled(channels: int) -> Shape:
    """Describe a layer that returns one vector."""
    return lambda config, size: (channels,)


def _halved(times: int) -> Callable[[int], int]:
    """Return a function that halves a size repeatedly, with padding."""
    return lambda size: -(-size // 2**times)


def _compact(config: EncoderConfig, size: int) -> tuple[int, ...]:
    side = -(-size // 2)
    for _ in COMPACT_BLOCKS:
        side = -(-side // 2) if side > 8 else side
    return side * side, 16 * config.width


def _xception_side(size: int) -> int:
    return _halved(4)((size - 1) // 2 - 2)


def _inception_side(size: int) -> int:
    side = (size - 1) // 2 - 2
    side = (side - 1) // 2 - 2
    for _ in range(3):
        side = (side - 1) // 2
    return side


@dataclass(frozen=True)
class LayerSpec:
    """A layer whose output is used as features.

    Attributes:
        keras_name: name of the layer in the Keras model.
        shape: of the features; see `regions` and `pooled`.
        top: whether it needs the model with its fully connected layers.
        partial: a weight file that contains only the layers up to this one.
        takes_input: whether to use the layer's input instead of its output.
    """

    keras_name: str
    shape: Shape
    top: bool = False
    partial: str | None = None
    takes_input: bool = False


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder.

    Attributes:
        application: its class in `keras.applications`; None for other networks.
        module: of its `preprocess_input`; None if the model scales its input itself.
        input_size: side of its training images, in pixels.
        layers: by name in this project, the default layer first.
        files: Keras' names of the weight files, without and with top, and their MD5 sums.
        reference: the paper.
        smallest: side of the smallest possible input, in pixels.
        in_bundle: whether its weights are stored in bundles, because this project trained them.
        build: for a network outside `keras.applications`, a function or its address
            ("package.module:function") that takes the settings and whether to use random weights,
            and returns a Keras model from pixels 0 to 255, `(B, S, S, 3)`, to features.
        photos_per_second: speed on one core, used in estimates until it is measured.
        tutorial_template: the template with which the tutorials' script rebuilds the network, if
            any.
    """

    application: str | None
    module: str | None
    input_size: int
    layers: dict[str, LayerSpec]
    files: tuple[tuple[str, str], tuple[str, str]] | None
    reference: str
    smallest: int = 32
    in_bundle: bool = False
    build: str | Callable[[EncoderConfig, bool], Any] | None = None
    photos_per_second: float = 7.0
    tutorial_template: str | None = None

    @property
    def default_layer(self) -> str:
        """The layer that is used by default."""
        return next(iter(self.layers))


_KERNELS = "weights_tf_dim_ordering_tf_kernels"

ENCODERS: dict[str, EncoderSpec] = {
    "compact": EncoderSpec(
        application=None,
        module=None,
        input_size=224,
        layers={"map": LayerSpec("map", _compact)},
        files=None,
        reference="in the manner of Xception; trained by this project",
        in_bundle=True,
        build="captioning.encoders.keras_networks:build_compact",
        photos_per_second=60.0,
        tutorial_template="compact",
    ),
    "efficientnetlite2": EncoderSpec(
        application=None,
        module=None,
        input_size=224,
        layers={"map": LayerSpec("map", regions(_halved(5), 1280))},
        files=None,
        reference="Tan and Le 2019, https://arxiv.org/abs/1905.11946; Lite2, 2020",
        build="captioning.encoders.keras_networks:build_lite2",
        photos_per_second=30.0,
        tutorial_template="lite2",
    ),
    "xception": EncoderSpec(
        application="Xception",
        module="xception",
        input_size=299,
        layers={
            # The last residual sum: the input of block 14, an output without a name in Keras.
            "block13": LayerSpec(
                "block14_sepconv1",
                regions(_xception_side, 1024),
                takes_input=True,
                partial="xception_imagenet_upto_block13.weights.h5",
            ),
            "avg_pool": LayerSpec("avg_pool", pooled(2048)),
        },
        files=(
            (f"xception_{_KERNELS}_notop.h5", "b0042744bf5b25fce3cb969f33bebb97"),
            (f"xception_{_KERNELS}.h5", "0a58e3b7378bc2990ea3b43d5981f1f6"),
        ),
        reference="Chollet 2017, https://arxiv.org/abs/1610.02357",
        smallest=71,
        photos_per_second=6.0,
        tutorial_template="application",
    ),
    "vgg16": EncoderSpec(
        application="VGG16",
        module="vgg16",
        input_size=224,
        layers={
            "block5_conv3": LayerSpec("block5_conv3", regions(lambda size: size // 16, 512)),
            "block5_pool": LayerSpec("block5_pool", regions(lambda size: size // 32, 512)),
            "fc2": LayerSpec("fc2", pooled(4096), top=True),
        },
        files=(
            (f"vgg16_{_KERNELS}_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
            (f"vgg16_{_KERNELS}.h5", "64373286793e3c8b2b4e3219cbf3544b"),
        ),
        reference="Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556",
        photos_per_second=3.0,
        tutorial_template="application",
    ),
    "efficientnetv2b0": EncoderSpec(
        application="EfficientNetV2B0",
        module=None,
        input_size=224,
        layers={"map": LayerSpec("top_activation", regions(_halved(5), 1280))},
        files=(
            ("efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
            ("efficientnetv2-b0.h5", "21ecbf6da12460d5c40bb2f29ceb2188"),
        ),
        reference="Tan and Le 2021, https://arxiv.org/abs/2104.00298",
        photos_per_second=30.0,
        tutorial_template="application",
    ),
    "resnet50": EncoderSpec(
        application="ResNet50",
        module="resnet50",
        input_size=224,
        layers={"map": LayerSpec("conv5_block3_out", regions(_halved(5), 2048))},
        files=(
            (f"resnet50_{_KERNELS}_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"),
            (f"resnet50_{_KERNELS}.h5", "2cb95161c43110f7111970584f804107"),
        ),
        reference="He et al. 2016, https://arxiv.org/abs/1512.03385",
        tutorial_template="application",
    ),
    "inceptionv3": EncoderSpec(
        application="InceptionV3",
        module="inception_v3",
        input_size=299,
        layers={"map": LayerSpec("mixed10", regions(_inception_side, 2048))},
        files=(
            (f"inception_v3_{_KERNELS}_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"),
            (f"inception_v3_{_KERNELS}.h5", "9a0d58056eeedaa3f26cb7ebd46da564"),
        ),
        reference="Szegedy et al. 2016, https://arxiv.org/abs/1512.00567",
        smallest=75,
        tutorial_template="application",
    ),
}
"""All encoders by name; `register_encoder` adds to them."""


def register_encoder(name: str, spec: EncoderSpec) -> None:
    """Register an encoder, so that settings, commands and pages offer it.

    >>> def build(config, random_weights):
    ...     pixels = keras.Input((config.input_size, config.input_size, 3))
    ...     return keras.Model(pixels, keras.layers.AveragePooling2D(32)(pixels))
    >>> tiny = EncoderSpec(
    ...     None, None, 224, {"map": LayerSpec("map", regions(lambda size: size // 32, 3))}, None,
    ...     reference="the mean colour of each square", build=build)
    >>> register_encoder("colours", tiny)
    >>> feature_shape(EncoderConfig(name="colours"))
    (49, 3)
    >>> del ENCODERS["colours"]

    Raises:
        ConfigError: the name is already used, or the encoder has no layer.
    """
    if name in ENCODERS:
        raise ConfigError(f"There is already an encoder '{name}'. Choose another name.")
    if not spec.layers:
        raise ConfigError(f"The encoder '{name}' has no layer. Define at least one.")
    ENCODERS[name] = spec


def feature_shape(config: EncoderConfig) -> tuple[int, ...]:
    """Return the shape of a photo's features without building the network.

    Returns:
        `(R, D)` for a map of R regions, `(D,)` if pooled.

    Raises:
        ConfigError: the encoder, its layer or its size is unknown.
    """
    config, spec = resolve(config)
    return spec.layers[str(config.layer)].shape(config, int(config.input_size or 0))


def resolve(config: EncoderConfig) -> tuple[EncoderConfig, EncoderSpec]:
    """Fill in the default layer and size where `config` leaves them open.

    Raises:
        ConfigError: the encoder or its layer is unknown, or the size does not fit the layer.
    """
    spec = ENCODERS.get(config.name)
    if spec is None:
        raise ConfigError(
            f"There is no encoder called {quoted(config.name)}. Known: {', '.join(ENCODERS)}."
        )
    layer = config.layer or spec.default_layer
    if layer not in spec.layers:
        raise ConfigError(
            f"{config.name} has no layer called {layer!r}. Known: {', '.join(spec.layers)}."
        )
    size = config.input_size or spec.input_size
    if spec.layers[layer].top and size != spec.input_size:
        raise ConfigError(
            f"{config.name} {layer} needs photos of {spec.input_size} pixels, got {size}."
        )
    if size < spec.smallest:
        raise ConfigError(
            f"{config.name} needs photos of at least {spec.smallest} pixels, got {size}."
        )
    return config.replace(layer=layer, input_size=size), spec


def encoder_key(config: EncoderConfig, arrays: Mapping[str, np.ndarray] | None = None) -> str:
    """Return a key of 16 hex digits for everything that affects the features of a photo.

    Args:
        config: the encoder; open fields are filled in first.
        arrays: its weights by path, if this project trained them; None for ImageNet weights.

    Raises:
        ConfigError: the encoder, its layer or its size is unknown.
    """
    digest = hashlib.sha256()
    settings = resolve(config)[0].to_dict()
    if not settings["photo_size"]:
        del settings["photo_size"]
    digest.update(json.dumps([settings, PREPROCESSING]).encode())
    for path, value in sorted((arrays or {}).items()):
        digest.update(path.encode())
        digest.update(np.ascontiguousarray(value, np.float32).tobytes())
    return digest.hexdigest()[:16]


def has_weights(encoder: EncoderConfig) -> bool:
    """Return whether an encoder is known and needs no download, because its files are here."""
    try:
        config, spec = resolve(encoder)
        if spec.files is None:
            return True  # they come with the model or with a package
        return find_weights(config.name, spec, spec.layers[str(config.layer)]) is not None
    except (ConfigError, WeightsError):
        return False


def find_weights(name: str, spec: EncoderSpec, layer: LayerSpec) -> tuple[Path, bool] | None:
    """Find a file of ImageNet weights on this machine.

    It is searched in the folder `$CAPTIONING_WEIGHTS`, then in Keras' cache.

    Returns:
        The path, and whether the file ends at the layer; None if there is no file.

    Raises:
        WeightsError: as `classroom_files`.
    """
    in_cache = keras_folder() / keras_file(spec, layer)[0]
    places = [*classroom_files(name, spec, layer), (in_cache, False)]
    return next((place for place in places if place[0].is_file()), None)


def classroom_files(name: str, spec: EncoderSpec, layer: LayerSpec) -> list[tuple[Path, bool]]:
    """List the suitable files in the folder `$CAPTIONING_WEIGHTS`.

    Returns:
        Each path, and whether the file ends at the layer.

    Raises:
        WeightsError: the folder does not exist.
    """
    folder = os.environ.get("CAPTIONING_WEIGHTS")
    if not folder:
        return []
    place = Path(os.path.expanduser(folder))
    if not place.is_dir():
        raise WeightsError(
            f"CAPTIONING_WEIGHTS is {folder}, but there is no such folder. Correct it, or "
            "unset it to use the weights that Keras has downloaded."
        )
    names: list[tuple[str, bool]] = []
    if layer.partial:
        names.append((layer.partial, True))
    if not layer.top:
        names.append((f"{name}_imagenet_notop.weights.h5", False))
    names.append((keras_file(spec, layer)[0], False))
    return [(place / file, partial) for file, partial in names]


def keras_file(spec: EncoderSpec, layer: LayerSpec) -> tuple[str, str]:
    """Return Keras' name of a weight file, and its MD5 sum."""
    without_top, with_top = spec.files or (("", ""), ("", ""))
    return with_top if layer.top else without_top


def keras_folder() -> Path:
    """Return the folder in which Keras stores downloaded weights."""
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")) / "models"
