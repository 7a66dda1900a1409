"""Average trained weights with those before training; dev chooses the share of each.

Reference: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.arrays import assign_weights, weights_of
from captioning.training.dev_scores import DevResult
from captioning.training.loop import Trainer

SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""The shares that are tried; 1 is the model before training."""


@dataclass(frozen=True)
class Averaged:
    """The average of trained weights and those before training that is best on dev.

    Attributes:
        share: of the weights before training, 0 to 1.
        dev: what these achieve on dev.
        cider: on dev, of every share that was tried; the mean of several data sets.
    """

    share: float
    dev: DevResult
    cider: Mapping[float, float]


def average_with_start(
    trainer: Trainer,
    start: Mapping[str, np.ndarray],
    *,
    known: Mapping[float, DevResult],
    shares: Sequence[float] = SHARES,
    on_result: Callable[[float, DevResult], None] = lambda share, dev: None,
) -> Averaged | None:
    """Score averages of a trained decoder with its start on dev; leave the best in the trainer.

    Args:
        trainer: after its run.
        start: the decoder's weights before training, by path.
        known: results that need not be computed again, by share.
        shares: of `start`, each from 0 to 1; of equally good ones, the first is chosen.
        on_result: called with each share and its result.

    Returns:
        The best; None if the run is asked to stop meanwhile.
    """
    trained = weights_of(trainer.decoder)
    found: dict[float, DevResult] = {}

    def assign(share: float) -> None:
        arrays = {
            path: (1.0 - share) * value + share * start[path].astype(np.float32)
            for path, value in trained.items()
        }
        assign_weights(trainer.decoder, arrays, source="the average")

    for share in shares:
        dev = known.get(share)
        if dev is None:
            assign(share)
            dev = trainer.dev_result()
        if dev is None:
            return None
        found[share] = dev
        on_result(share, dev)
    best = max(found, key=lambda share: found[share].rank)
    assign(best)
    return Averaged(best, found[best], {share: dev.mean_cider for share, dev in found.items()})
