"""The process of a run: reports its progress, follows requests, and records how it ends.

The training is passed to `execute` as a function, so this module does not import Keras.
"""

import contextlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from captioning.errors import CaptioningError, StorageError
from captioning.runs.control import Runs, Slot
from captioning.runs.estimate import remember_rates
from captioning.runs.record import Run, Status
from captioning.storage import append_json_line, read_json

HEARTBEAT_SECONDS = 0.5
LISTEN_SECONDS = 0.1
GRACE_SECONDS = 1.0
"""A process that was asked to stop ends after this time, also in the middle of a step."""

NICENESS = 10
RESERVE_BYTES = 64 * 1024
HOW_TO_RESUME = "Free some disk space if it is full, then resume; earlier checkpoints are kept."


def execute(folder: Path, work: Callable[[Run, "Execution"], bool]) -> int:
    """Do the work of a run in this process, and record the outcome in its folder.

    Args:
        folder: of the run.
        work: trains, reports events to the execution, and asks it whether to stop.  Returns
            whether the run is complete.

    Returns:
        The exit status of the process: 0 complete or stopped, 1 failed.

    Raises:
        RunError: there is no such run, or another one is running.
    """
    runs = Runs(folder.absolute().parents[1])
    run = runs.get(folder.name)
    slot = runs.claim(run)
    lower_priority()
    execution = Execution(runs, run, slot)
    with execution.heartbeat():
        try:
            complete = work(run, execution)
            outcome = ("finished", "") if complete else ("stopped", execution.stop_message())
        except CaptioningError as error:
            stopped = execution.stop_was_asked
            outcome = ("stopped" if stopped else "failed", str(error))
            _print_if_possible(str(error))
        except OSError as error:
            outcome = ("failed", f"A file could not be written or read: {error}. {HOW_TO_RESUME}")
            _print_if_possible(outcome[1])
        except BaseException as error:
            traceback.print_exc()
            outcome = ("failed", f"An internal error, {type(error).__name__}: see the log.")
    execution.finish(*outcome)
    return int(outcome[0] == "failed")


def lower_priority() -> None:
    """Lower this process's priority, and use all cores but one if there are several.

    Call it before TensorFlow is imported, which then reads its number of threads.
    """
    with contextlib.suppress(OSError, AttributeError):  # Windows has none
        os.nice(NICENESS)
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[1:])
        count = max(len(cores) - 1, 1)
    else:
        count = max((os.cpu_count() or 1) - 1, 1)
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(count)


class Execution:
    """The connection between a run's process and its folder.

    Args:
        runs: the store that the run belongs to.
        run: the run of this process.
        slot: held until the run has ended.
    """

    def __init__(self, runs: Runs, run: Run, slot: Slot) -> None:
        self.runs, self.run, self.slot = runs, run, slot
        self._lock = threading.RLock()
        self._finished = False
        self._terminated = False
        self._asked: float | None = None
        self._reason = ""
        self._events = run.folder / "events.jsonl"
        self._reserve = run.folder / ".reserve"
        with contextlib.suppress(
            OSError
        ):  # freed on a full disk, so that the error can be recorded
            self._reserve.write_bytes(b"\0" * RESERVE_BYTES)
        self.status = run.status.replace(
            state="running", message="", activity="starting", pid=os.getpid(), begun=time.time()
        )
        self._write()

    @property
    def stop_was_asked(self) -> bool:
        """Whether somebody asked this process to stop."""
        return self._terminated or self._request() == "stop"

    def should_stop(self) -> bool:
        """Return whether to stop; waits while the run is paused."""
        if self._request() == "pause" and not self._terminated:
            self._change(state="paused", rate=0.0)
            while self._request() == "pause" and not self._terminated:
                time.sleep(0.05)
            self._change(state="running")
        return self.stop_was_asked or bool(self._reason)

    def give_up(self, reason: str) -> None:
        """End the run when it next asks whether to stop; it counts as stopped.

        Raises:
            OSError: the event cannot be written.
        """
        self.emit({"event": "given up", "reason": reason})
        self._reason = reason

    def emit(self, event: dict[str, Any]) -> None:
        """Append an event of the training, and update the status.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            if event["event"] != "features" or event["done"] == event["total"]:
                append_json_line(self._events, {**event, "time": time.time()})
            self.status = _after(self.status, event)

    def set_activity(self, activity: str) -> None:
        """Set what the process is doing, before there are events."""
        self._change(activity=activity)

    def stop_message(self) -> str:
        """Return where the run was stopped and where it would resume."""
        if self._reason and not self.stop_was_asked:
            return self._reason
        status, kept = self.status, self.run.checkpoints()
        where = f"Stopped in epoch {status.epoch} of {status.epochs}, step {status.step}."
        return f"{where} " + (
            f"Resume continues from the checkpoint {kept[-1]}."
            if kept
            else "There is no checkpoint yet; resume starts from the beginning."
        )

    @contextlib.contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Write the status every half second inside the block, and enforce requests to stop."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_terminated", True))
        done = threading.Event()
        thread = threading.Thread(target=self._beat, args=(done,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def finish(self, state: str, message: str) -> None:
        """End the run in `state`, and start the next one; only the first call has an effect."""
        with self._lock:
            if self._finished:
                return
            self._finished = True
            with contextlib.suppress(OSError):
                end = {"event": state, "message": message, "time": time.time()}
                append_json_line(self._events, end)
            self._reserve.unlink(missing_ok=True)
            with contextlib.suppress(OSError, KeyError, ValueError, TypeError):
                remember_rates(self.runs.data, self.run)
            last = self.status.replace(
                state=state, message=message, activity="", pid=None, heartbeat=time.time()
            )
            self.runs.finish(self.run, last, self.slot)

    def _beat(self, done: threading.Event) -> None:
        written = 0.0
        while not done.wait(LISTEN_SECONDS):
            if time.monotonic() - written > HEARTBEAT_SECONDS:
                written = time.monotonic()
                with self._lock:
                    self._write()
            if not self.stop_was_asked:
                self._asked = None
            elif self._asked is None:
                self._asked = time.monotonic()
            elif time.monotonic() - self._asked > GRACE_SECONDS:
                # All files are moved into place when complete, so ending now damages none.
                self.finish("stopped", f"In the middle of a step. {self.stop_message()}")
                os._exit(0)

    def _request(self) -> str:
        try:
            return read_json(self.run.folder / "request.json", str)
        except StorageError:
            return ""

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self.status = self.status.replace(**changes)
            self._write()

    def _write(self) -> None:
        """Write the status; a full disk is reported when the run ends."""
        if not self._finished:
            with contextlib.suppress(OSError):
                self.run.write_status(self.status.replace(heartbeat=time.time()))


def _print_if_possible(text: str) -> None:
    """Write to the log, whose disk may be full."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _after(status: Status, event: dict[str, Any]) -> Status:
    """Return the status after an event."""
    kind = event["event"]
    if kind == "features":
        return status.replace(
            activity=f"encoding photos: {event['done']:,} of {event['total']:,}",
            rate=event["rate"],
            seconds_left=event["seconds_left"],
        )
    fields = ("epochs", "steps", "rate", "seconds_left", "loss", "learning_rate")
    known: dict[str, Any] = {key: event[key] for key in fields if key in event}
    if kind in ("start", "resume", "step", "scoring"):
        known |= {"epoch": event["epoch"], "step": event["step"]}
        known["activity"] = "scoring" if kind == "scoring" else "training"
    return status.replace(**known)
