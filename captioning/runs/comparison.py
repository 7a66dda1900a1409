"""Several runs side by side: in which settings they differ, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captioning.config import TrainingConfig, flattened
from captioning.metrics import headline_metrics
from captioning.runs.curves import Curves, read_curves
from captioning.runs.record import Run

__all__ = ["Comparison", "compare_runs", "flat_settings"]


@dataclass(frozen=True)
class Comparison:
    """A table of runs.

    Attributes:
        runs: what is compared.
        settings: those in which the runs differ, by name, one value a run.
        results: for each run `state`, `epochs`, `best_epoch`, the headline metrics and `dev_loss`
            of its best epoch (None before the first), and `seconds` of training.
        curves: of each run.
    """

    runs: tuple[Run, ...]
    settings: dict[str, tuple[Any, ...]]
    results: tuple[dict[str, Any], ...]
    curves: tuple[Curves, ...]


def compare_runs(runs: Sequence[Run]) -> Comparison:
    """Compare runs by their settings and the dev scores of their best epochs.

    Raises:
        ConfigError: a run's settings are damaged.
    """
    curves = tuple(read_curves(run) for run in runs)
    return Comparison(
        runs=tuple(runs),
        settings=_differences([flat_settings(run.config) for run in runs]),
        results=tuple(_result(run, told) for run, told in zip(runs, curves, strict=True)),
        curves=curves,
    )


def flat_settings(config: TrainingConfig) -> dict[str, Any]:
    """Return settings by dotted names, such as `decoder.units`."""
    return flattened(config.to_dict())


def _differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    rows = {key: tuple(one[key] for one in settings) for key in (settings[0] if settings else ())}
    return {key: values for key, values in rows.items() if len(set(map(repr, values))) > 1}


def _result(run: Run, curves: Curves) -> dict[str, Any]:
    best = max(curves.epochs, key=lambda row: row["cider"], default=None)
    names = (*(metric.name for metric in headline_metrics()), "dev_loss")
    figures = {name: best.get(name) if best else None for name in names}
    return {
        "state": run.status.state,
        "epochs": len(curves.epochs),
        "best_epoch": best["epoch"] if best else None,
        **figures,
        "seconds": curves.epochs[-1]["seconds"] if curves.epochs else 0.0,
    }
