"""Time training steps, alone on a machine or a card.

    [KERAS_BACKEND=jax] python benchmarks/training_steps.py --config FILE --data DIR [--data DIR]
        [--set KEY=VALUE] [--steps 200]

Prints how long it takes until steps run at full speed, milliseconds per step after that, and, on
JAX, how many functions were compiled.  Photos without features are encoded first, so run it twice.
"""

import argparse
import sys
import time
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioning.cli.training_data import open_dataset
from captioning.config import TrainingConfig, read_training_config
from captioning.datasets import CaptionDataset
from captioning.prefetch import ahead
from captioning.training.loop import Trainer
from captioning.training.recipe import prepare

WARM_UP = 30
"""Steps before those that are timed."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    config = read_training_config(arguments.config).with_settings(arguments.set)
    sets = [open_dataset(name) for name in arguments.data]
    measure(config, sets, arguments.steps)


def measure(config: TrainingConfig, sets: list[CaptionDataset], steps: int) -> None:
    """Time `steps` steps of a run."""
    compiled: list[float] = []
    if keras.config.backend() == "jax":
        import jax

        jax.monitoring.register_event_duration_secs_listener(
            lambda name, seconds, **_: (
                compiled.append(seconds) if name.endswith("backend_compile_duration") else None
            )
        )
    started = time.perf_counter()
    trainer = prepare(config, sets[0], extra=sets[1:]).trainer
    trainer.prepare()
    groups = trainer.groups(0)[: WARM_UP + steps]
    take(trainer, groups[:WARM_UP])
    print(f"first {WARM_UP} steps, with preparation: {time.perf_counter() - started:.1f} s")
    timed = groups[WARM_UP:]
    print(f"{len(timed)} more: {1000 * take(trainer, timed) / len(timed):.1f} ms a step")
    if compiled:
        print(f"{len(compiled)} compilations, {sum(compiled):.1f} s")


def take(trainer: Trainer, groups: list[np.ndarray]) -> float:
    """Take a step on each group of photos; return the seconds."""
    started = time.perf_counter()
    padded = [trainer._padded(indices) for indices in groups]
    for indices, inputs in zip(groups, ahead(trainer.train_data.photos, padded), strict=True):
        trainer._step(indices, inputs)
    trainer._read_losses()  # waits for the device
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
