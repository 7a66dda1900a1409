"""Checkpoints of a training run: written atomically; the latest two are kept.

A checkpoint holds everything that the next step depends on: the weights, the optimizer's moments,
the states of the random generators, and the progress of the run.  A resumed run takes the same
steps as an uninterrupted one.
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from captioning.errors import TrainingError
from captioning.storage import replacing

KEPT = 2

# The settings that are digests: of photo names and captions, and of the vocabulary.
_DATA = ("data digest", "vocabulary digest")


@dataclass
class Progress:
    """The progress of a run.

    Attributes:
        epoch: the current epoch, from 0.
        step: steps done in it.
        loss_sum: sum of their losses.
        reward_sum: sum of their rewards, if any.
        best: the best dev CIDEr so far.
        best_loss: the dev loss of that epoch.
        best_epoch: its number, from 0.
        history: one record per finished epoch.
        seconds: time spent training, without pauses.
        settings: the settings of the run by dotted name; empty in old checkpoints.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    reward_sum: float = 0.0
    best: float = -1.0
    best_loss: float = math.inf
    best_epoch: int = -1
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Args:
        folder: created if missing.

    Attributes:
        damaged: names of damaged checkpoints that `load` skipped.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.damaged: list[str] = []

    def save(self, arrays: Mapping[str, np.ndarray], progress: Progress) -> Path:
        """Write a checkpoint and remove all but the latest two.

        Raises:
            TrainingError: it cannot be written, as on a full disk; earlier ones are kept.
        """
        path = self.folder / f"epoch{progress.epoch:04d}-step{progress.step:06d}.safetensors"
        try:
            facts = {"progress": json.dumps(asdict(progress)), "crc32": _checksum(arrays)}
            # safetensors writes the bytes of an array in memory order.
            ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
            # Flushed before older ones are removed, so that one survives a power failure.
            with replacing(path, durable=True) as part:
                save_file(ordered, part, facts)
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"The checkpoint {path.name} could not be written ({error}). "
                "Free some disk space and resume; earlier checkpoints are kept."
            ) from error
        for old in self._found()[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def load(self) -> tuple[dict[str, np.ndarray], Progress] | None:
        """Read the latest undamaged checkpoint; None if there is none."""
        for path in reversed(self._found()):
            try:
                with safe_open(path, "numpy") as stored:
                    facts = stored.metadata()
                    progress = Progress(**json.loads(facts["progress"]))
                    arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
                if facts.get("crc32", _checksum(arrays)) == _checksum(arrays):
                    return arrays, progress
            except (SafetensorError, OSError, ValueError, KeyError, TypeError):
                pass  # reported in `damaged`
            # Kept, not deleted, so that people can investigate the damage.
            path.replace(path.with_suffix(".damaged"))
            self.damaged.append(path.name)
        return None

    def _found(self) -> list[Path]:
        return sorted(self.folder.glob("epoch*.safetensors"))


def check_settings(kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run continues with its original settings and data.

    Its name may change, and so may `start_share`, which is used only after the last epoch.

    Raises:
        TrainingError: they differ, so no settings would describe the resulting weights.
    """
    if any(kept.get(name, now.get(name)) != now.get(name) for name in _DATA):
        raise TrainingError(
            "The checkpoint was trained with other data: photos, captions or the vocabulary have "
            "changed since. Continue with the original data, or start a new run in another "
            "folder."
        )
    differ = [
        name
        for name in now
        if name not in ("name", "start_share") and kept.get(name, now[name]) != now[name]
    ]
    if differ:
        changes = ", ".join(f"{name} was {kept[name]}, now {now[name]}" for name in differ[:4])
        raise TrainingError(
            f"The checkpoint was trained with other settings: {changes}. Continue with the "
            "original settings, or start a new run in another folder."
        )


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a hexadecimal checksum over all arrays."""
    value = 0
    for name in sorted(arrays):
        value = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), value))
    return f"{value:08x}"
