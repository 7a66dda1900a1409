"""A model's weights as plain arrays, each under its variable's path."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from captioning.errors import BundleError

if TYPE_CHECKING:
    import keras

__all__ = ["assign_weights", "check_arrays", "weights_of"]


def weights_of(model: "keras.Model") -> dict[str, np.ndarray]:
    """Return every weight of `model`, trained or not, as float32 by its path."""
    from captioning.backend import to_numpy  # imports Keras

    return {variable.path: to_numpy(variable) for variable in model.weights}


def assign_weights(model: "keras.Model", arrays: Mapping[str, np.ndarray], *, source: str) -> None:
    """Set every weight of `model`.

    Args:
        model: built, so that its weights exist.
        arrays: by path, of any float type.
        source: what to call the place they come from in an error.

    Raises:
        BundleError: an array is missing, superfluous, of another shape, or not finite.
    """
    variables = {variable.path: variable for variable in model.weights}
    shapes = {path: tuple(variable.shape) for path, variable in variables.items()}
    check_arrays(shapes, arrays, source=source)
    for path, variable in variables.items():
        variable.assign(np.asarray(arrays[path], np.float32))


def check_arrays(
    shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray], *, source: str
) -> None:
    """Check that arrays are those of a network.

    Args:
        shapes: of the network's arrays, by path.
        arrays: by path, of any float type.
        source: what to call the place they come from in an error.

    Raises:
        BundleError: an array is missing, superfluous, of another shape, or not finite.
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
            raise BundleError(f"{source}: {path} holds numbers that are not finite.")
