"""The student: training it to match the recorded features of the teacher."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from captioning.arrays import assign_weights, weights_of
from captioning.backend import to_numpy
from captioning.encoders import load_encoder
from captioning.errors import TrainingError
from captioning.prefetch import ahead
from captioning.training.checkpoints import Checkpoints, Progress
from captioning.training.distillation.recording import Recording
from captioning.training.distillation.settings import DistillationConfig

HELD_OUT = 1024
"""Held-out views at the end of the recording, at most a tenth of it."""


@dataclass(frozen=True)
class Report:
    """Progress of a distillation.

    Attributes:
        step: steps done.
        steps: steps in total.
        loss: mean squared error since the last report; the targets have a variance of 1.
        held_out: the same on held-out views.
        seconds_a_step: recent seconds per step.
    """

    step: int
    steps: int
    loss: float
    held_out: float
    seconds_a_step: float


def distill(
    config: DistillationConfig,
    recording: Recording,
    *,
    checkpoint_folder: Path | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, np.ndarray] | None:
    """Train a new student on a recording.

    Args:
        config: all settings.
        recording: with the student's input size; may still be growing.
        checkpoint_folder: of the checkpoints; an unfinished distillation there is resumed.
        on_report: called every `report_every` steps.
        should_stop: called between steps; a true result stops the training.

    Returns:
        The student's weights by path, as `load_encoder` takes them; None if it was stopped.

    Raises:
        TrainingError: the recording is empty, the loss is not finite, or a checkpoint cannot be
            written.
    """
    if recording.written < 2:
        raise TrainingError(f"{recording.folder} holds no views yet; record some first.")
    learner = _Learner(config, recording)
    checkpoints = Checkpoints(checkpoint_folder) if checkpoint_folder else None
    step = learner.resume(checkpoints)
    while step < config.steps:
        begun, until = time.monotonic(), min(step + config.report_every, config.steps)
        losses = []
        for inputs, targets in ahead(learner.draw, list(range(step, until))):
            if should_stop():
                return None
            losses.append(learner.learn(inputs, targets))
        seconds, step = time.monotonic() - begun, until
        loss = float(np.mean(losses))
        if not np.isfinite(loss):
            raise TrainingError(
                f"The loss is not a number after step {step}. Try a lower learning_rate."
            )
        if checkpoints is not None:
            checkpoints.save(learner.state(), Progress(step=step))
        pace = seconds / len(losses)
        on_report(Report(step, config.steps, loss, learner.held_out(), pace))
    return weights_of(learner.encoder)


@keras.saving.register_keras_serializable(package="captioning")
class SteadyThenDown(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, constant learning rate, and linear cooldown to zero.

    Unlike cosine decay, it allows a run to be extended (Hägele et al. 2024,
    https://arxiv.org/abs/2405.18392).

    Args:
        highest: the constant rate.
        steps: total steps.
        warmup: warm-up steps.
        cooldown: share of the steps spent on the cooldown.
    """

    def __init__(self, highest: float, *, steps: int, warmup: int, cooldown: float) -> None:
        self.highest, self.steps, self.warmup, self.cooldown = highest, steps, warmup, cooldown

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        done = ops.cast(step, "float32")
        rise = (done + 1) / max(self.warmup, 1)
        fall = (self.steps - done) / max(self.steps * self.cooldown, 1)
        return self.highest * ops.maximum(0.0, ops.minimum(1.0, ops.minimum(rise, fall)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return dict(vars(self))


class _Learner:
    """The student with a linear head that predicts the teacher's features of each region."""

    def __init__(self, config: DistillationConfig, recording: Recording) -> None:
        keras.utils.set_random_seed(config.seed)
        self.config, self.recording = config, recording
        self.encoder = load_encoder(config.student, random_weights=True).network
        self.side = round(self.encoder.output.shape[1] ** 0.5)
        head = keras.layers.Dense(recording.targets.shape[-1], name="head")
        self.model = keras.Model(self.encoder.input, head(self.encoder.output), name="student")
        rate = SteadyThenDown(
            config.learning_rate,
            steps=config.steps,
            warmup=config.warmup_steps,
            cooldown=config.cooldown,
        )
        optimizer = keras.optimizers.AdamW(
            rate,
            weight_decay=config.weight_decay,
            global_clipnorm=config.clip_norm,
            name="optimizer",  # the prefix of its arrays in checkpoints
        )
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self.model.compile(optimizer, loss="mean_squared_error")
        optimizer.build(self.model.trainable_variables)
        total = len(recording.pixels)
        self.learned_from = total - min(HELD_OUT, max(1, total // 10))

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels `(B, S, S, 3)` and targets `(B, R, C)`, which depend only on the step."""
        random = np.random.default_rng((self.config.seed, 1, step))
        known = max(1, min(self.recording.written, self.learned_from))
        pixels, targets = self._read(random.integers(0, known, self.config.views_per_batch))
        pixels, targets = flipped(pixels, targets, random)
        pixels, targets = pasted(pixels, targets, random, share=self.config.mixing)
        return pixels, targets.reshape(len(targets), -1, targets.shape[-1])

    def learn(self, pixels: np.ndarray, targets: np.ndarray) -> float:
        """Take one step; return its loss."""
        self.model.reset_metrics()
        loss = self.model.train_on_batch(pixels, targets)
        return float(np.asarray(loss).reshape(-1)[0])

    def held_out(self) -> float:
        """Return the mean squared error on the held-out views, if there are any yet."""
        last = min(self.recording.written, len(self.recording.pixels))
        numbers, size = np.arange(self.learned_from, last), self.config.views_per_batch
        losses = [self._distance(numbers[i : i + size]) for i in range(0, len(numbers), size)]
        return float(np.concatenate(losses).mean()) if losses else float("nan")

    def state(self) -> dict[str, np.ndarray]:
        """Return all arrays that the next step depends on."""
        optimizer = {v.path: to_numpy(v) for v in self.model.optimizer.variables}
        return {**optimizer, **weights_of(self.model)}

    def resume(self, checkpoints: Checkpoints | None) -> int:
        """Load the latest checkpoint, if there is one; return the steps done."""
        found = checkpoints.load() if checkpoints is not None else None
        if found is None:
            return 0
        arrays, progress = found
        for variable in self.model.optimizer.variables:
            variable.assign(arrays.pop(variable.path))
        assign_weights(self.model, arrays, source="The checkpoint")
        return progress.step

    def _read(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return views in disk order, and their targets `(B, H, W, C)`."""
        numbers = np.sort(numbers)
        targets = regrid(self.recording.targets[numbers].astype(np.float32), self.side)
        return self.recording.pixels[numbers], targets

    def _distance(self, numbers: np.ndarray) -> np.ndarray:
        pixels, targets = self._read(numbers)
        predicted = to_numpy(self.model(pixels.astype(np.float32), training=False))
        distance: np.ndarray = np.square(predicted - targets.reshape(predicted.shape)).mean(
            axis=(1, 2)
        )
        return distance


def flipped(
    pixels: np.ndarray, targets: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Flip half of the views and their maps horizontally.

    Args:
        pixels: `(B, S, S, 3)`.
        targets: `(B, H, W, C)`.
        random: chooses the views.
    """
    chosen = (random.random(len(pixels)) < 0.5)[:, None, None, None]
    return (
        np.where(chosen, pixels[:, :, ::-1], pixels),
        np.where(chosen, targets[:, :, ::-1], targets),
    )


def pasted(
    pixels: np.ndarray, targets: np.ndarray, random: np.random.Generator, *, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a block of another view into some views, and the same block of its map.

    After CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899), with blocks aligned to
    regions.  Near the edges the map is only approximate, but the number of views is unlimited.

    Args:
        pixels: `(B, S, S, 3)`.
        targets: `(B, H, W, C)`.
        random: chooses the views and the blocks.
        share: of the views that are changed.
    """
    pixels, targets = pixels.copy(), targets.copy()
    side = targets.shape[1]
    others = random.permutation(len(pixels))
    from_pixels, from_targets = pixels.copy(), targets.copy()
    edges = np.round(np.arange(side + 1) * pixels.shape[1] / side).astype(int)
    for view in np.flatnonzero(random.random(len(pixels)) < share):
        top, left = random.integers(0, side, 2)
        bottom, right = random.integers((top + 1, left + 1), side + 1)
        other = others[view]
        rows, columns = slice(top, bottom), slice(left, right)
        targets[view, rows, columns] = from_targets[other, rows, columns]
        rows, columns = slice(edges[top], edges[bottom]), slice(edges[left], edges[right])
        pixels[view, rows, columns] = from_pixels[other, rows, columns]
    return pixels, targets


def regrid(targets: np.ndarray, side: int) -> np.ndarray:
    """Resample square maps to another grid; each new region is the mean of its area.

    Args:
        targets: float32 `(B, R, C)`, `R` a square number.
        side: of the new grid.

    Returns:
        float32 `(B, side, side, C)`.
    """
    old = round(targets.shape[1] ** 0.5)
    maps = targets.reshape(len(targets), old, old, -1)
    if old == side:
        return maps
    share = _shares(old, side)
    moved: np.ndarray = np.einsum("yi,xj,bijc->byxc", share, share, maps, optimize=True)
    return moved


@cache
def _shares(old: int, new: int) -> np.ndarray:
    """Return `(new, old)`: the share of each new cell in each old cell; rows sum to 1."""
    starts, width = np.arange(new) * old / new, old / new
    overlap = np.minimum((starts + width)[:, None], np.arange(1, old + 1)) - np.maximum(
        starts[:, None], np.arange(old)
    )
    shares: np.ndarray = (np.maximum(overlap, 0) / width).astype(np.float32)
    return shares
