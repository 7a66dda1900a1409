"""What happened to each photo of a library, in a file that is only ever appended to.

    <data>/library/<id>/
        log.jsonl     claims, changes before they are made, and results, a line for each batch
        before.bin    what was in changed files before
        log.lock      held while a line is appended
        workers/      a file for each process at work, which holds its lock

Several processes may work at one library: each claims a few photos at a time.  The claim of a
process that has ended, killed or not, counts no longer.
"""

import errno
import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple
from uuid import uuid4

from captioning.batch.captioning import Row
from captioning.batch.library.changes import Change, Draft, keep_old
from captioning.errors import StorageError
from captioning.processes import hold, is_held, lock
from captioning.storage import data_folder, open_regular_file, parse_json, write_json, write_text

Result = Literal["written", "left", "unsure", "failed"]


class Table(NamedTuple):
    """The last rows appended to a CSV: where they begin, their text, the file's CRC after them."""

    start: int
    text: str
    crc: int

    @property
    def end(self) -> int:
        """How long the file is with them."""
        return self.start + len(self.text.encode())


def log_folder(photos: Path, form: str, table: Path | None = None) -> Path:
    """Return the folder of the log of a library.

    Args:
        photos: the library.
        form: what captions are written as.
        table: the CSV, if that is the form.
    """
    parts = [str(photos.resolve()), form, *([str(table.resolve())] if table else [])]
    key = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
    return data_folder() / "library" / key[:16]


class LibraryLog:
    """The log, as far as it was read.

    Attributes:
        results: of the photos that are done, by name; `refresh` adds those of other processes.
        table: the last rows of a CSV, if there is one.
    """

    def __init__(self, folder: Path, is_done: Callable[[Result, Row], bool]) -> None:
        """Read what is there; nothing is written.

        Args:
            folder: of the log; it need not exist.
            is_done: whether a photo with such a result of an earlier run is not tried again; of its
                row the model is known, and how sure it was if that made the result "unsure".
        """
        self.folder = folder
        self.results: dict[str, Result] = {}
        self.table: Table | None = None
        self._is_done = is_done
        self._claims: dict[str, str] = {}
        self._alive: dict[str, bool] = {}
        self._read_to = 0
        self._worker = ""
        self._file = folder / "log.jsonl"
        self.refresh()
        self._is_done = lambda result, row: True  # from now on: of this very moment

    @property
    def exists(self) -> bool:
        """Whether anything was done that is not undone."""
        return self._file.exists()

    # Work

    @contextmanager
    def working(self, facts: dict[str, str]) -> Iterator[None]:
        """Take part in the work inside the block.

        Args:
            facts: what the log is about, for people who look into its folder.

        Raises:
            StorageError: the log cannot be written.
        """
        with _writing(self.folder):
            (self.folder / "workers").mkdir(parents=True, exist_ok=True)
            write_json(self.folder / "library.json", facts)
            worker = f"{os.getpid()}-{uuid4().hex[:8]}"
            held = hold(self._lock_of(worker), patience=5.0)
        if held is None:
            raise StorageError(f"{self._lock_of(worker)} cannot be locked.")
        self._worker = worker
        try:
            yield
        finally:
            held.release()
            self._lock_of(worker).unlink(missing_ok=True)
            self._worker = ""

    def claim(self, names: Iterator[str], count: int) -> list[str]:
        """Take the next few names that nobody works at; fewer than `count` at the end."""
        with self.locked():
            self._alive.clear()
            found = list(islice(names, count))
            if found:
                self._append({"claim": found, "worker": self._worker})
        return found

    def unclaimed(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the names that are not done and not claimed, for `claim` to take from.

        Those that another process has claimed come again at the end, in case it was killed.
        """
        postponed = []
        for name in names:
            if name in self.results:
                continue
            if self._is_claimed(name):
                postponed.append(name)
            else:
                yield name
        for name in postponed:
            if name not in self.results and not self._is_claimed(name):
                yield name

    def finish(
        self, results: Sequence[tuple[Row, Result]], by: str, table: Table | None = None
    ) -> None:
        """Write down what became of photos that were claimed.

        Args:
            results: a row each, and what became of it.
            by: the model.
            table: the rows that are about to be appended to the CSV; the caller holds the lock.
        """
        content = {"done": [_facts(row, result) for row, result in results], "by": by}
        if table is None:
            with self.locked():
                self._append(content)
        else:
            self._append({**content, "table": list(table)})

    def is_busy(self) -> bool:
        """Tell whether a process is at work."""
        return any(is_held(path) for path in (self.folder / "workers").glob("*.lock"))

    # Changes

    def announce(self, drafts: Sequence[Draft]) -> None:
        """Keep the way back from changes that are about to be made; on disk when this returns."""
        with self.locked(), _writing(self.folder), (self.folder / "before.bin").open("ab") as kept:
            changes = [keep_old(draft, kept) for draft in drafts]
            kept.flush()
            os.fsync(kept.fileno())
            self._append({"changes": [list(change) for change in changes]}, sync=True)

    def changes(self) -> list[Change]:
        """Return all changes, the last one first."""
        found = []
        with _writing(self.folder), open_regular_file(self._file) as file:
            for line in _lines(file):
                if line.startswith(b'{"changes"') and (content := _parsed(line)):
                    found += [Change(*values) for values in content["changes"]]
        return found[::-1]

    def before(self, change: Change) -> bytes:
        """Return the patch that leads back from a change.

        Raises:
            StorageError: it cannot be read.
        """
        with _writing(self.folder), open_regular_file(self.folder / "before.bin") as file:
            file.seek(change.offset)
            return file.read(change.length)

    def wrote(self, path: Path, content: str) -> bool:
        """Tell whether a file has a digest that was written to it by this program."""
        looked_for = json.dumps([str(path), content])[1:-1].encode()
        try:
            with (
                open_regular_file(self._file) as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
            ):
                return whole.find(looked_for) >= 0
        except (OSError, ValueError):  # no log, or an empty one
            return False

    def forget_all_but(self, changes: Sequence[Change]) -> None:
        """Start again after changes were undone.

        Args:
            changes: those that could not be, the last one first.
        """
        with self.locked():
            if changes:
                rows = [list(change) for change in changes[::-1]]
                lines = (rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS))
                write_text(
                    self._file, "".join(json.dumps({"changes": line}) + "\n" for line in lines)
                )
            else:
                self._file.unlink(missing_ok=True)
                (self.folder / "before.bin").unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock among all processes, with all that they wrote read."""
        with _writing(self.folder), lock(self.folder / "log.lock"):
            self.refresh()
            yield

    def refresh(self) -> None:
        """Read what was appended since."""
        try:
            with open_regular_file(self._file) as file:
                file.seek(self._read_to)
                for line in _lines(file):
                    if not line.endswith(b"\n"):
                        break  # somebody is writing it
                    self._read_to += len(line)
                    if not line.startswith(b'{"changes"'):
                        self._take(_parsed(line))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{self._file} cannot be read: {error.strerror}.") from error

    def _take(self, content: dict[str, Any]) -> None:
        for name in content.get("claim", ()):
            self._claims[name] = content["worker"]
        by = content.get("by", "")
        plain = Row("", by=by)  # one for all: there may be a hundred thousand
        for name, result, *facts in content.get("done", ()):
            self._claims.pop(name, None)
            row = plain
            if facts:
                confidence, level, kind = facts
                row = Row(name, by=by, confidence=confidence, level=level, kind=kind)
            if self._is_done(result, row):
                self.results[name] = result
            else:
                self.results.pop(name, None)
        if "table" in content:
            self.table = Table(*content["table"])

    def _append(self, content: dict[str, Any], *, sync: bool = False) -> None:
        """Append a line; names that are not Unicode are escaped."""
        line = json.dumps(content).encode() + b"\n"
        with self._file.open("ab+", buffering=0) as file:
            if size := file.seek(0, os.SEEK_END):
                file.seek(size - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line  # ends a line cut by a kill
            file.write(line)
            if sync:
                os.fsync(file.fileno())
        self.refresh()

    def _is_claimed(self, name: str) -> bool:
        worker = self._claims.get(name, self._worker)
        if worker == self._worker:
            return False
        if worker not in self._alive:
            self._alive[worker] = is_held(self._lock_of(worker))
        return self._alive[worker]

    def _lock_of(self, worker: str) -> Path:
        return self.folder / "workers" / f"{worker}.lock"


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a log.

    Raises:
        OSError: a line is longer than any that is written.
    """
    while line := file.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise OSError(errno.EFBIG, "a line is too long")
        yield line


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = f"The log in {folder} cannot be read or written: {error.strerror}."
        raise StorageError(told) from error


def _facts(row: Row, result: Result) -> list[Any]:
    """Return what the log keeps of a row: how sure the model was, if that decided."""
    sure = [row.confidence, row.level, row.kind] if result == "unsure" else []
    return [row.photo, result, *sure]


_MAX_LINE = 50_000_000
_ROWS = 1_000
_CHANGE = (str, str, str, int, int, int, int)
_SURE = (str, str, float | int | None, str, str)


def _parsed(line: bytes) -> dict[str, Any]:
    """Return the content of a line; nothing if it is damaged, such as cut short by a kill."""
    try:
        content = parse_json(line.decode())
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and _is_intact(content) else {}


def _is_intact(content: dict[str, Any]) -> bool:
    claim, done, changes = (content.get(name, []) for name in ("claim", "done", "changes"))
    return (
        all(isinstance(rows, list) for rows in (claim, done, changes))
        and all(isinstance(name, str) for name in claim)
        and isinstance(content.get("worker", None if claim else ""), str)
        and isinstance(content.get("by", ""), str)
        and all(_are(row, (str, str)) or _are(row, _SURE) for row in done)
        and all(_are(change, _CHANGE) and Change(*change).possible for change in changes)
        and ("table" not in content or _are(content["table"], (int, str, int)))
    )


def _are(values: Any, kinds: tuple[Any, ...]) -> bool:
    return (
        isinstance(values, list)
        and len(values) == len(kinds)
        and all(map(isinstance, values, kinds))
    )
