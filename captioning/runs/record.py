"""A training run: its settings, status and notes, read from its folder."""

import dataclasses
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from captioning.config import TrainingConfig, read_training_config
from captioning.errors import ConfigError, StorageError
from captioning.runs.store import Record
from captioning.storage import read_json, read_long_json_lines, read_regular_file, write_json

LIVE = ("starting", "running", "paused")
"""States in which a run has a process."""

STARTABLE = ("ready", "stopped", "failed", "died")
"""States from which a run can be started or resumed."""

STATES = (*LIVE, *STARTABLE, "queued", "finished")

MOST_NOTE_BYTES, MOST = 1_000_000, 1e15
MOST_STEP_EVENTS = 10_000
_STEP_EVENT = b'{"event": "step"'

LATEST = 1e11
"""Seconds since 1970; a later time is damaged data, and cannot be formatted as a date."""


@dataclass(frozen=True)
class Status:
    """The status of a run, as `status.json` holds it.

    Attributes:
        state: "ready", "queued", "starting", "running", "paused", "stopped", "failed", "died" or
            "finished".
        message: what happened, for a person; empty without problems.
        activity: what the process is doing, such as "scoring".
        epoch: the current epoch, from 1, of `epochs`.
        step: completed steps of the epoch, of `steps`.
        loss: of the last reported step.
        rate: steps per second, or photos per second while photos are encoded.
        seconds_left: until the end of the run; None while unknown.
        learning_rate: of the last reported step.
        pid: its process, while it has one.
        created: when the run was made, in seconds since 1970.
        begun: when its process began.
        heartbeat: when its process last wrote this.
    """

    state: str = "ready"
    message: str = ""
    activity: str = ""
    epoch: int = 1
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    rate: float = 0.0
    seconds_left: float | None = None
    learning_rate: float | None = None
    pid: int | None = None
    created: float = 0.0
    begun: float = 0.0
    heartbeat: float = 0.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Status":
        """Read the fields back; unknown ones, of another version, are ignored.

        Raises:
            ValueError: a value is of the wrong type or out of range.
        """
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        known = {key: value for key, value in values.items() if key in kinds}
        if not fits(known, {key: kinds[key] for key in known}):
            raise ValueError("a value is of the wrong kind")
        status = cls(**known)
        times = (status.created, status.begun, status.heartbeat)
        counts = (status.epoch, status.epochs, status.step, status.steps, status.pid or 0)
        speeds = (status.rate, status.seconds_left or 0.0)
        if (
            status.state not in STATES
            or not all(0 <= time <= LATEST for time in times)
            or not all(0 <= number <= MOST for number in (*counts, *speeds))
        ):
            raise ValueError("a value is out of range")
        return status

    def replace(self, **changes: Any) -> "Status":
        """Return a copy with `changes` made."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class Run(Record):
    """One run, as its folder was when it was read.

    Attributes:
        folder: its name is the run's id.
        status: its state and progress.
        note: what people wrote about it.
    """

    kind = "run"

    status: Status
    note: str = ""

    @classmethod
    def _read(cls, folder: Path) -> "Run":
        return cls(folder, _read_status(folder / "status.json"), _read(folder / "note.txt"))

    @property
    def live(self) -> bool:
        """Whether it has a process."""
        return self.status.state in LIVE

    @cached_property
    def config(self) -> TrainingConfig:
        """Its settings.

        Raises:
            ConfigError: `config.json` is damaged.
        """
        if not (self.folder / "config.json").is_file():
            raise ConfigError(f"{self.folder / 'config.json'} is not a file.")
        return read_training_config(self.folder / "config.json")

    @cached_property
    def origin(self) -> dict[str, Any]:
        """What it was made for, such as a trial of a search; empty if a person made it."""
        try:
            return read_json(self.folder / "origin.json", dict)
        except StorageError:
            return {}

    @property
    def bundle_folder(self) -> Path:
        """The folder of its model: that of the best epoch so far, once there is one."""
        return self.folder / "bundle"

    @property
    def has_model(self) -> bool:
        """Whether it has a model, finished or not."""
        return (self.bundle_folder / "config.json").is_file()

    def events(self) -> list[dict[str, Any]]:
        """Read what the training has reported, without damaged lines.

        Of a very long file, `MOST_STEP_EVENTS` evenly spaced reports of steps are read, and as many
        of the last other events.
        """
        return read_long_json_lines(self.folder / "events.jsonl", _thinned)

    def checkpoints(self) -> list[str]:
        """Return the names of its complete checkpoints, the latest last."""
        found = (self.folder / "checkpoints").glob("epoch*.safetensors")
        return sorted(path.stem for path in found)

    def log(self, lines: int = 200) -> str:
        """Return the last lines of its log."""
        try:
            with open(_a_file(self.folder / "log.txt"), "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * lines))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def write_status(self, status: Status, *, durable: bool = False) -> None:
        """Replace `status.json`.

        Args:
            status: its new content.
            durable: whether to wait until it survives a power failure.

        Raises:
            OSError: it cannot be written.
        """
        write_json(self.folder / "status.json", dataclasses.asdict(status), durable=durable)


def fits(values: Any, kinds: Mapping[str, Any]) -> bool:
    """Return whether `values` is a mapping with a value of the right type for each of `kinds`."""
    return isinstance(values, Mapping) and all(
        isinstance(values.get(name), kind)
        or (type(values.get(name)) is int and isinstance(0.0, kind))
        for name, kind in kinds.items()
    )


def _thinned(lines: list[bytes]) -> list[bytes]:
    steps = [place for place, line in enumerate(lines) if line.startswith(_STEP_EVENT)]
    others = [place for place, line in enumerate(lines) if not line.startswith(_STEP_EVENT)]
    every = max(1, math.ceil(len(steps) / MOST_STEP_EVENTS))
    kept = sorted(steps[::-every] + others[-MOST_STEP_EVENTS:])  # the last step is among them
    return [lines[place] for place in kept]


def _a_file(path: Path) -> Path:
    """Return `path` if it is an ordinary file; reading a pipe could block forever."""
    if not path.is_file():
        raise OSError(f"{path.name} is missing, or not a file")
    return path


def _read_status(path: Path) -> Status:
    try:
        return Status.from_dict(read_json(path, dict))
    except (StorageError, ValueError):
        return Status(
            state="died",
            message=f"{path.name} cannot be read; resume continues from the checkpoint.",
            created=_made(path.parent),
        )


def _made(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _read(path: Path) -> str:
    try:
        return read_regular_file(path, MOST_NOTE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
