"""Starting, pausing, stopping, queueing and deleting runs, from any process."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.bundle import Bundle, find_bundles, is_reserved, publish_bundle
from captioning.config import TrainingConfig
from captioning.errors import RunError, StorageError
from captioning.processes import is_alive, start_detached, started_at
from captioning.runs.record import LIVE, STARTABLE, Run, Status
from captioning.runs.store import FolderStore
from captioning.storage import (
    flush_to_disk,
    hold,
    is_held,
    read_json,
    restore_replaced,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from filelock import BaseFileLock

COMMAND = [sys.executable, "-m", "captioning", "train", "--run"]
"""The command of a run's process; the run's folder is appended."""

_CHILDREN: list[subprocess.Popen[bytes]] = []


class Slot:
    """The slot of a data folder: the one run that has it may have a process.

    The run's process holds a lock, which the system releases when the process ends, however it
    ends.  A file next to the lock names the run, since a locked file cannot be read on Windows.
    While a process starts, that file also names the process for which the slot is reserved.

    An object is the slot held by this process; all methods need the lock of the store.
    """

    def __init__(self, path: Path, lock: "BaseFileLock") -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def take(cls, path: Path, name: str) -> "Slot | None":
        """Take the slot for the run called `name`; None if a running process has it."""
        lock = hold(path)
        if lock is None:
            return None
        write_json(_holder_file(path), {"run": name})
        return cls(path, lock)

    @staticmethod
    def reserve(path: Path, name: str, pid: int) -> None:
        """Reserve the slot for a process that was just started, until it takes it or ends."""
        holder = {"run": name, "pid": pid, "started": started_at(pid)}
        write_json(_holder_file(path), holder)

    @staticmethod
    def holder(path: Path) -> str | None:
        """Return the name of the run that has the slot; None if it is free."""
        holder: dict[str, Any] = {}
        with suppress(StorageError):
            holder = read_json(_holder_file(path), dict)
        name, pid, started = (holder.get(key) for key in ("run", "pid", "started"))
        reserved = isinstance(pid, int) and isinstance(started, float) and is_alive(pid, started)
        return str(name) if reserved or is_held(path) else None

    def close(self) -> None:
        """Release it."""
        self._lock.release()


class Runs(FolderStore[Run]):
    """The runs of one data folder.  One run at a time has a process, the others wait.

    Any number of processes may use these objects at once.

    Args:
        data: the data folder; by default `$CAPTIONING_DATA`.
    """

    record = Run
    folder_name = "runs"

    def __init__(self, data: Path | None = None) -> None:
        super().__init__(data)
        self.slot_path = self.folder / ".slot"

    def create(
        self,
        config: TrainingConfig,
        *,
        note: str = "",
        origin: Mapping[str, Any] | None = None,
    ) -> Run:
        """Make a run that can be started.

        Args:
            config: its settings.
            note: a note for people.
            origin: what it is made for, as plain data; see `Run.origin`.

        Raises:
            RunError: its folder cannot be written.
        """
        status = Status(epochs=config.epochs, created=time.time())
        files: dict[str, Any] = {"config.json": config.to_dict(), "note.txt": note}
        if origin is not None:
            files["origin.json"] = dict(origin)
        return self._create(config.name, {**files, "status.json": dataclasses.asdict(status)})

    def clone(self, name: str, changes: Mapping[str, Any] | None = None) -> Run:
        """Make a new run with the settings of another, some of them changed.

        Raises:
            RunError: there is no such run.
            ConfigError: a change is refused.
        """
        run = self.get(name)
        return self.create(run.config.replace(**(changes or {})), note=f"A clone of {run.id}.")

    def start(self, name: str) -> Run:
        """Start or resume a run, or put it at the end of the queue if another one is running.

        A run that was stopped or killed, or has failed, resumes from its last checkpoint.

        Raises:
            RunError: it is already running, waiting or finished.
        """
        with self._lock():
            self._mark_dead()
            run = self.get(name)
            if run.status.state not in STARTABLE:
                finished = run.status.state == "finished"
                advice = " Clone it with more epochs to train further." if finished else ""
                raise RunError(f"The run {run.id} is already {run.status.state}.{advice}")
            run.write_status(run.status.replace(state="queued", message="", activity=""))
            self._write_order([*self._order(), run.id])
            self._advance()
        return self.get(name)

    def stop(self, name: str) -> None:
        """Ask a run to write a checkpoint and end, which takes at most two seconds.

        Raises:
            RunError: it has no process and is not waiting for one.
        """
        with self._lock():
            run = self.get(name)
            if run.status.state == "queued":
                state = "stopped" if run.checkpoints() else "ready"
                run.write_status(run.status.replace(state=state, message="Taken out of the queue."))
                return
            self._ask(run, "stop")

    def pause(self, name: str) -> None:
        """Ask a run to pause between two steps; it keeps its process.

        Raises:
            RunError: it has no process.
        """
        with self._lock():
            self._ask(self.get(name), "pause")

    def proceed(self, name: str) -> None:
        """Continue a paused run.

        Raises:
            RunError: it has no process.
        """
        with self._lock():
            self._ask(self.get(name), "")

    def note(self, name: str, text: str) -> None:
        """Replace the note of a run.

        Raises:
            RunError: there is no such run, or the note cannot be written.
        """
        with self._lock():
            write_text(self.get(name).folder / "note.txt", text)

    def queue(self) -> list[Run]:
        """Return the waiting runs, the next one first."""
        waiting = {run.id: run for run in reversed(self.all()) if run.status.state == "queued"}
        order = dict.fromkeys([*self._order(), *waiting])
        return [waiting[name] for name in order if name in waiting]

    def move(self, name: str, place: int) -> None:
        """Move a waiting run to another place in the queue; place 0 runs next.

        Raises:
            RunError: it is not waiting.
        """
        with self._lock():
            order = [run.id for run in self.queue()]
            if name not in order:
                raise RunError(f"The run {name} is not in the queue.")
            order.remove(name)
            order.insert(max(place, 0), name)
            self._write_order(order)

    def reconcile(self) -> None:
        """Mark runs whose process has died, and start the next run if none has a process.

        It is cheap; call it before reading runs.
        """
        with self._lock():
            self._mark_dead()
            self._advance()

    def finish(self, run: Run, status: Status, slot: Slot) -> None:
        """End a run from inside its process: write its last status and start the next run."""
        with self._lock():
            try:
                flush_to_disk(run.folder / "events.jsonl")
                run.write_status(status, durable=True)
            finally:
                slot.close()
                self._advance()

    def claim(self, run: Run) -> Slot:
        """Take the slot for a run from inside its process.

        Raises:
            RunError: another run has it.
        """
        with self._lock():
            ours = Slot.holder(self.slot_path) in (None, run.id)
            slot = Slot.take(self.slot_path, run.id) if ours else None
        if slot is None:
            raise RunError("Another run is under way; this one can begin when it has ended.")
        return slot

    def publish(self, name: str, model: str, *, by: str = "", replace: bool = False) -> Bundle:
        """Copy a run's model to the models that all pages offer.

        Args:
            name: of the run.
            model: name of the model.
            by: who publishes it.
            replace: whether a model of that name may be replaced.

        Raises:
            RunError: the run has no model.
            BundleError: the name is taken or reserved, or the copy cannot be written.
            ConfigError: the name cannot be used.
        """
        run = self.get(name)
        if not run.has_model:
            raise RunError(f"The run {run.id} has no model yet; it has one after its first epoch.")
        models = self.data / "models"
        return publish_bundle(
            run.bundle_folder, model, run=run.id, by=by, replace=replace, models=models
        )

    def _prepare_deletion(self, name: str) -> None:
        self._mark_dead()
        run = self.get(name)
        if run.live:
            raise RunError(f"The run {run.id} is {run.status.state}; stop it first.")

    def _ask(self, run: Run, request: str) -> None:
        if Slot.holder(self.slot_path) != run.id:
            raise RunError(f"The run {run.id} has no process; it is {run.status.state}.")
        write_json(run.folder / "request.json", request)

    def _mark_dead(self) -> None:
        """Record which runs have lost their process.  Needs the lock."""
        _reap()
        holder = Slot.holder(self.slot_path)
        for run in self.all():
            if run.status.state in LIVE and run.id != holder:
                restore_replaced(run.bundle_folder)
                run.write_status(
                    run.status.replace(state="died", message=_death_message(run), pid=None)
                )

    def _advance(self) -> None:
        """Start the next run that can be started if none has a process.  Needs the lock."""
        for run in self.queue():
            if Slot.holder(self.slot_path) is not None:
                return
            try:
                self._begin(run)
            except OSError as error:
                message = f"It cannot be started: {error}."
                with suppress(OSError):
                    run.write_status(run.status.replace(state="failed", message=message))

    def _begin(self, run: Run) -> None:
        (run.folder / "request.json").unlink(missing_ok=True)
        run.write_status(run.status.replace(state="starting", begun=time.time()))
        process = _launch(run, self.data)
        _CHILDREN.append(process)
        Slot.reserve(self.slot_path, run.id, process.pid)

    def _order(self) -> list[str]:
        try:
            order = read_json(self.folder / "queue.json", list)
        except StorageError:
            return []  # each run's status says that it waits; only the order is lost
        return [name for name in order if isinstance(name, str)]

    def _write_order(self, order: list[str]) -> None:
        write_json(self.folder / "queue.json", order)


def _holder_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def published_model(run: Run) -> Bundle | None:
    """Return the model that was published from a run, or None."""
    found = (bundle for bundle in find_bundles() if bundle.published is not None)
    return next((b for b in found if b.published and b.published.run == run.id), None)


def free_name(run: Run) -> str:
    """Return a name for a run's model that no other model has."""
    taken = {bundle.name.casefold() for bundle in find_bundles()}
    numbered = (f"{run.id}-{number}" for number in count(2))
    tried = chain((run.config.name, run.id), numbered)
    return next(n for n in tried if n.casefold() not in taken and not is_reserved(n))


def _launch(run: Run, data: Path) -> subprocess.Popen[bytes]:
    """Start the process of a run, independent of this one."""
    return start_detached(
        [*COMMAND, str(run.folder)],
        folder=Path(__file__).resolve().parents[2],
        log=run.folder / "log.txt",
        environment={"CAPTIONING_DATA": str(data), "PYTHONUNBUFFERED": "1"},
    )


def _reap() -> None:
    """Collect the exit status of our processes that have ended."""
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def _death_message(run: Run) -> str:
    status, kept = run.status, run.checkpoints()
    where = f" in epoch {status.epoch}, step {status.step}" if status.steps else " while starting"
    rest = (
        f"Resume continues from the checkpoint {kept[-1]}."
        if kept
        else "There was no checkpoint yet; resume starts from the beginning."
    )
    return (
        f"The process ended unexpectedly{where}: it was killed or ran out of memory. See the log. "
        f"{rest}"
    )
