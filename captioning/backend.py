"""Code that depends on the Keras backend.

All other model code uses only `keras.ops` and runs on TensorFlow, JAX and Torch.  The backends
differ in how a function is compiled.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from captioning.errors import TrainingError

__all__ = ["compiled", "gradients_of", "to_numpy"]


def compiled(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:
    """Compile `function`, which only reads `model`'s weights, for inference.

    The weights may change between calls; every call uses the current ones.

    Args:
        function: takes and returns (structures of) tensors or arrays.
        model: the model whose weights the function reads.

    Returns:
        A function with the same signature.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        graph: Callable[..., Any] = tf.function(function, reduce_retracing=True, autograph=False)
        return graph
    if backend == "jax":
        return _compiled_by_jax(function, model)
    if backend == "torch":
        import torch

        without_gradients: Callable[..., Any] = torch.no_grad()(function)
        return without_gradients
    return function


def gradients_of(loss_of: Callable[[], Any], variables: list[Any]) -> tuple[Any, list[Any]]:
    """Return a loss and its gradient for each variable; uncompiled, for inspection.

    Args:
        loss_of: computes the loss from the current variables.
        variables: Keras variables.

    Returns:
        The loss, and one dense tensor per variable.

    Raises:
        TrainingError: the backend is not TensorFlow.
    """
    if keras.config.backend() != "tensorflow":
        raise TrainingError("Gradients can be shown only with Keras' TensorFlow backend.")
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = loss_of()
    found = tape.gradient(loss, [variable.value for variable in variables])
    # The gradient of an embedding is sparse: it holds only the rows that were read.
    return loss, [tf.convert_to_tensor(gradient) for gradient in found]


def to_numpy(value: Any) -> np.ndarray:
    """Convert a tensor of any backend to NumPy."""
    return np.asarray(keras.ops.convert_to_numpy(value))


def _compiled_by_jax(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:
    """Pass the weights as arguments: otherwise JAX compiles their values in as constants."""
    import jax

    @jax.jit
    def pure(values: list[Any], *arguments: Any) -> Any:
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(*arguments)

    return lambda *arguments: pure([v.value for v in model.variables], *arguments)
