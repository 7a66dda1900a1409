"""A model's weights as plain arrays, each under its variable's path."""

from collections.abc import Mapping

import keras
import numpy as np

from captioning.backend import to_numpy
from captioning.errors import BundleError

__all__ = ["assign_weights", "weights_of"]


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    """Return every weight of `model`, trained or not, as float32 by its path."""
    return {variable.path: to_numpy(variable) for variable in model.weights}


def assign_weights(model: keras.Model, arrays: Mapping[str, np.ndarray], *, source: str) -> None:
    """Set every weight of `model`.

    Args:
        model: built, so that its weights exist.
        arrays: by path, of any float type.
        source: what to call the place they come from in an error.

    Raises:
        BundleError: an array is missing, superfluous, of another shape, or not finite.
    """
    variables = {variable.path: variable for variable in model.weights}
    missing, extra = sorted(set(variables) - set(arrays)), sorted(set(arrays) - set(variables))
    if missing or extra:
        what = f"{missing[0]} is missing" if missing else f"{extra[0]} is not expected"
        raise BundleError(
            f"{source}: expected {len(variables)} arrays, found {len(arrays)}; {what}."
        )
    for path, variable in variables.items():
        value = np.asarray(arrays[path], np.float32)
        if value.shape != tuple(variable.shape):
            raise BundleError(
                f"{source}: {path} should have shape {tuple(variable.shape)}, found {value.shape}."
            )
        if not np.isfinite(value).all():
            raise BundleError(f"{source}: {path} holds numbers that are not finite.")
        variable.assign(value)
