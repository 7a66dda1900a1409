"""A training run's state on disk: written beside and moved into place, the latest two kept.

A checkpoint holds every number the next step depends on: weights, the optimiser's moments, the
states of the random generators, and how far the run had come.  Continuing from it takes the same
steps as never having stopped.
"""

import json
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

__all__ = ["Checkpoints", "Progress", "check_settings"]

KEPT = 2

# The digests among the settings: of photos' names and captions, and of the words.
_DATA = ("data digest", "vocabulary digest")


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: the epoch under way, from 0.
        step: steps done in it.
        loss_sum: sum of their losses.
        reward_sum: sum of their rewards, where there are any.
        best: the best dev score so far, and its epoch.
        history: one record for each finished epoch.
        seconds: time spent training, stops left out.
        settings: what the run was trained with, by dotted name; empty in old checkpoints.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    reward_sum: float = 0.0
    best: float = -1.0
    best_epoch: int = -1
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Args:
        folder: made if missing.

    Attributes:
        damaged: names of checkpoints that `load` found damaged and passed over.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.damaged: list[str] = []

    def save(self, arrays: Mapping[str, np.ndarray], progress: Progress) -> Path:
        """Write a checkpoint and remove those before the last two.

        Raises:
            TrainingError: it cannot be written (a full disk, say); earlier ones stay as they are.
        """
        path = self.folder / f"epoch{progress.epoch:04d}-step{progress.step:06d}.safetensors"
        try:
            facts = {"progress": json.dumps(asdict(progress)), "crc32": _checksum(arrays)}
            # safetensors writes an array as it lies in memory, whatever its order.
            ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
            # Flushed before older ones are removed, so that a power cut leaves a whole one.
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
        """Read the latest checkpoint that is whole; None if there is none."""
        for path in reversed(self._found()):
            try:
                with safe_open(path, "numpy") as stored:
                    facts = stored.metadata()
                    progress = Progress(**json.loads(facts["progress"]))
                    arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
                if facts.get("crc32", _checksum(arrays)) == _checksum(arrays):
                    return arrays, progress
            except (SafetensorError, OSError, ValueError, KeyError, TypeError):
                pass  # told by `damaged`
            # Kept, not deleted, so that whoever looks into the folder finds what went wrong.
            path.replace(path.with_suffix(".damaged"))
            self.damaged.append(path.name)
        return None

    def _found(self) -> list[Path]:
        return sorted(self.folder.glob("epoch*.safetensors"))


def check_settings(kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Make sure that a run goes on with the settings and data it began with; its name may change.

    Raises:
        TrainingError: it would not; going on would give weights that no settings describe.
    """
    if any(kept.get(name, now.get(name)) != now.get(name) for name in _DATA):
        raise TrainingError(
            "The checkpoint was trained with other data: photos, captions or the vocabulary have "
            "changed since. Go on with the data it began with, or begin a new run in another "
            "folder."
        )
    differ = [name for name in now if name != "name" and kept.get(name, now[name]) != now[name]]
    if differ:
        changes = ", ".join(f"{name} was {kept[name]}, now {now[name]}" for name in differ[:4])
        raise TrainingError(
            f"The checkpoint was trained with other settings: {changes}. Go on with those it began "
            "with, or begin a new run in another folder."
        )


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a number that changes with any bit of any array, in hexadecimal digits."""
    value = 0
    for name in sorted(arrays):
        value = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), value))
    return f"{value:08x}"
