"""The files of a bundle: JSON, text and arrays, each fault named by its file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from captioning.errors import BundleError
from captioning.regular_files import read_regular_file
from captioning.storage import replacing

__all__ = ["read_arrays", "read_json", "read_text", "write_arrays"]

_MAX_JSON = 50_000_000


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        BundleError: the file is missing, is not JSON, or holds something else.
    """
    try:
        content = json.loads(read_regular_file(path, _MAX_JSON).decode("utf-8"))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def read_text(path: Path) -> str:
    """Read a text, the empty one if there is no file.

    Raises:
        BundleError: the file cannot be read.
    """
    try:
        if not path.is_file():
            return ""
        return read_regular_file(path, _MAX_JSON).decode("utf-8", "replace")
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name.

    Raises:
        BundleError: the file is missing or damaged, or holds arrays that NumPy has no type for.
    """
    if path.exists() and not path.is_file():
        raise BundleError(f"{path} is not a file; copy the whole folder again.")
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; copy the whole folder again.") from error
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path} is damaged: {error}.") from error
    except (TypeError, AttributeError) as error:  # what it raises for types NumPy does not have
        raise BundleError(
            f"{path}: expected arrays of float16 or float32, found another type ({error})."
        ) from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write or replace arrays by name, as float16 where that holds their numbers."""
    stored = {name: _narrowed(value) for name, value in arrays.items()}
    with replacing(path, durable=True) as part:
        part.write_bytes(save(stored))  # `save_file` would make it readable to its owner alone


def _narrowed(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrow = np.asarray(value, np.float16, order="C")
    return narrow if np.isfinite(narrow).all() else np.asarray(value, np.float32, order="C")
