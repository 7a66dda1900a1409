"""A model's weights, moved into the plain Keras model that the students' script defines."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from captioning.errors import BundleError

__all__ = ["fill_decoder", "fill_encoder"]

# What reads the photo first; the others read what these have made of it.
_READS_PHOTO = {"merge": ("photo",), "inject": ("photo_hidden", "photo_cell")}
_ATTENDS = ("regions",)


def fill_decoder(model: keras.Model, kind: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a tutorial's caption model the weights of a decoder of ours.

    Ours scales each channel of the features first; here that is folded into the dense layers that
    read them: `W (x - m) / d + b` is `(W / d) x + (b - W m / d)`.

    Args:
        model: what the script's `define_model` returned.
        kind: of the decoder.
        arrays: its weights by path.

    Raises:
        BundleError: the weights do not fit.
    """
    values = {path.removeprefix("decoder/"): value for path, value in arrays.items()}
    mean = np.asarray(values.pop("scaling/mean"), np.float64)
    deviation = np.asarray(values.pop("scaling/deviation"), np.float64)
    for layer in _READS_PHOTO.get(kind, _ATTENDS):
        kernel = np.asarray(values[f"{layer}/kernel"], np.float64) / deviation[:, None]
        values[f"{layer}/bias"] = values[f"{layer}/bias"] - mean @ kernel
        values[f"{layer}/kernel"] = kernel
    _fill(model, values)


def fill_encoder(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a tutorial's encoder the weights of a compact encoder of ours.

    Raises:
        BundleError: the weights do not fit.
    """
    _fill(model, arrays)


def _fill(model: Any, values: Mapping[str, np.ndarray]) -> None:
    names = [variable.path for variable in model.weights]
    if sorted(names) != sorted(values):
        odd = sorted(set(names) ^ set(values))
        raise BundleError(
            f"The tutorial's script has no place for the weights {', '.join(odd[:3])}; the model "
            "is of another version than this program."
        )
    for variable in model.weights:
        variable.assign(np.asarray(values[variable.path], np.float32))
