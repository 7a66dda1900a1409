"""A model's weights as NumPy arrays, keyed by variable path."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from captioning.errors import BundleError

if TYPE_CHECKING:
    import keras


def weights_of(model: "keras.Model") -> dict[str, np.ndarray]:
    """Return all weights of `model`, trainable or not, as float32 arrays keyed by path."""
    from captioning.backend import to_numpy  # imports Keras

    return {variable.path: to_numpy(variable) for variable in model.weights}


def assign_weights(model: "keras.Model", arrays: Mapping[str, np.ndarray], *, source: str) -> None:
    """Set all weights of `model`.

    Args:
        model: a built model.
        arrays: by path, of any float type.
        source: name of their origin in error messages.

    Raises:
        BundleError: an array is missing, unexpected, of the wrong shape, or not finite.
    """
    variables = {variable.path: variable for variable in model.weights}
    shapes = {path: tuple(variable.shape) for path, variable in variables.items()}
    check_arrays(shapes, arrays, source=source)
    for path, variable in variables.items():
        variable.assign(np.asarray(arrays[path], np.float32))


def check_arrays(
    shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray], *, source: str
) -> None:
    """Check that arrays match a network.

    Args:
        shapes: of the network's arrays, by path.
        arrays: by path, of any float type.
        source: name of their origin in error messages.

    Raises:
        BundleError: an array is missing, unexpected, of the wrong shape, or not finite.
    """
    missing, extra = sorted(set(shapes) - set(arrays)), sorted(set(arrays) - set(shapes))
    if missing or extra:
        what = f"{missing[0]} is missing" if missing else f"{extra[0]} is not expected"
        raise BundleError(f"{source}: expected {len(shapes)} arrays, found {len(arrays)}; {what}.")
    for path, shape in shapes.items():
        value = np.asarray(arrays[path], np.float32)
        if value.shape != shape:
            raise BundleError(f"{source}: {path} should have shape {shape}, found {value.shape}.")
        if not np.isfinite(value).all():
            raise BundleError(f"{source}: {path} contains values that are not finite.")
