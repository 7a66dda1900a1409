"""Two curves, training and dev: where learning ends and learning by heart begins."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Curve", "EpochLoss", "read_curve"]


@dataclass(frozen=True, slots=True)
class EpochLoss:
    """The losses after one epoch, in nats a word."""

    epoch: int
    train: float
    dev: float

    @property
    def gap(self) -> float:
        """How much worse it does on photos it did not learn from."""
        return self.dev - self.train

    @property
    def perplexity(self) -> float:
        """`exp(dev)`: among how many equally likely words it chooses, so to speak."""
        return math.exp(self.dev)


@dataclass(frozen=True, slots=True)
class Curve:
    """The epochs of a run, at least one."""

    epochs: tuple[EpochLoss, ...]

    @property
    def best(self) -> EpochLoss:
        """The epoch with the lowest dev loss; the first one of equals."""
        return min(self.epochs, key=lambda epoch: epoch.dev)

    @property
    def last(self) -> EpochLoss:
        """The last epoch."""
        return self.epochs[-1]

    @property
    def rise(self) -> float:
        """By how much the dev loss rose again after its best epoch, in nats a word."""
        return self.last.dev - self.best.dev

    @property
    def overfits(self) -> bool:
        """Whether training went on to improve while dev got worse."""
        return self.rise > 0 and self.last.train < self.best.train


def read_curve(history: Sequence[Mapping[str, Any]]) -> Curve | None:
    """Read the losses of a run from its history.

    Args:
        history: a record an epoch with `epoch`, `loss` and `dev_loss`.  One that learned from
            rewards is left out: its training loss is no cross-entropy.

    Returns:
        The curve; None where no record tells both losses.
    """
    epochs = [
        EpochLoss(int(row["epoch"]), float(row["loss"]), float(row["dev_loss"]))
        for row in history
        if {"epoch", "loss", "dev_loss"} <= set(row) and not row.get("reward")
    ]
    sound = [e for e in epochs if math.isfinite(e.train) and math.isfinite(e.dev)]
    return Curve(tuple(sound)) if sound else None
