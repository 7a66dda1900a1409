"""Code that depends on the Keras backend.

All other model code uses only `keras.ops` and runs on TensorFlow, JAX and Torch.  The backends
differ in how a function is compiled.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from captioning.errors import TrainingError


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


def device_memory() -> int:
    """Return how many bytes of memory the accelerator has that Keras uses; 0 if it uses none."""
    if keras.config.backend() != "jax":
        return 0
    import jax

    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return 0
    return int((device.memory_stats() or {}).get("bytes_limit", 0))


class _DataParallel(keras.distribution.DataParallel):
    """Splits arrays along their first axis; one that cannot be split evenly goes to all devices."""

    def get_data_layout(self, data_shape: tuple[int, ...]) -> Any:
        if data_shape[0] % self.device_mesh.devices.size == 0:
            return super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


def use_devices(count: int | None = None) -> int:
    """Let models that are built from now on train on several devices; returns their number.

    Each device takes its share of the photos of a batch and has a copy of the weights.

    Args:
        count: number of devices; by default all.

    Raises:
        TrainingError: the backend is not JAX, or there are fewer devices.
    """
    if keras.config.backend() != "jax":
        raise TrainingError("Training on several devices needs JAX: set KERAS_BACKEND=jax.")
    devices = keras.distribution.list_devices()
    if count is not None and count > len(devices):
        raise TrainingError(f"JAX finds {len(devices)} devices, fewer than {count}.")
    devices = devices[:count]
    keras.distribution.set_distribution(_DataParallel(devices=devices, auto_shard_dataset=False))
    return len(devices)


class StepsOnDevice:
    """Optimiser steps by JAX whose state stays on the device from one step to the next.

    Keras' own `train_on_batch` waits for each step's loss and writes every variable back.

    Args:
        model: compiled before the first step, with its layers and its optimizer built.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._step: Callable[..., Any] | None = None
        self._state: tuple[list[Any], ...] | None = None

    def step(self, data: Any) -> Any:
        """Take a step on inputs, targets and weights; returns the loss, an array on the device."""
        if self._step is None:
            import jax

            self._model.built = True  # Keras asks; all layers have their variables
            self._step = jax.jit(self._pure)
        if self._state is None:
            self._state = tuple([v.value for v in group] for group in self._variables())
        loss, self._state = self._step(self._state, _spread(data))
        return loss

    def sync(self) -> None:
        """Write the state to the model's variables; the next step begins with what they hold."""
        if self._state is not None:
            for group, values in zip(self._variables(), self._state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self._state = None

    def _variables(self) -> tuple[list[Any], ...]:
        model = self._model
        return (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
        )

    def _pure(self, state: tuple[list[Any], ...], data: Any) -> Any:
        none_yet = [keras.ops.zeros_like(v.value) for v in self._model.metrics_variables]
        logs, (*after, _) = self._model.train_step((*state, none_yet), data)
        return logs["loss"], tuple(after)


def _spread(data: Any) -> Any:
    """Copy each device's share of the arrays to it, if there are several."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return data
    import jax

    def put(array: Any) -> Any:
        return jax.device_put(array, distribution.get_data_layout(array.shape).backend_layout)

    return keras.tree.map_structure(put, data)


def _compiled_by_jax(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:
    """Pass the weights as arguments: otherwise JAX compiles their values in as constants."""
    import jax

    @jax.jit
    def pure(values: list[Any], *arguments: Any) -> Any:
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(*arguments)

    return lambda *arguments: pure([v.value for v in model.variables], *arguments)
