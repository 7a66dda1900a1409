"""Read a state dictionary saved by an old version of PyTorch, without PyTorch.

The file is four small pickles (a magic number, a version, byte sizes, the dictionary), a list of
storages, and their data.  A pickle can run any code, so the file's SHA-256 is checked first,
and the reader accepts only four names.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from captioning.errors import WeightsError

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


class _Storage:
    """A block of numbers, with its key in the file and its type."""

    def __init__(self, key: str, kind: np.dtype[Any]) -> None:
        self.key, self.kind = key, kind


class _Tensor:
    """A strided view of a storage."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

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
