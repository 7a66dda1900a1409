"""Taking back all that was written for a library."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from captioning.batch.library.changes import Change, digest, old_from_patch
from captioning.batch.library.forms import table_is_unchanged
from captioning.batch.library.log import LibraryLog
from captioning.errors import StorageError, quoted
from captioning.storage import read_regular_file, replacing

_MAX_BYTES = 100_000_000
"""The largest file that is restored: photos have at most 50 MB without their caption."""


@dataclass
class Undone:
    """What became of the files.

    Attributes:
        restored: those that are as they were before, by path.
        changed: those that somebody has changed since, and that were left as they are.
    """

    restored: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)


def undo(log: LibraryLog, *, table: Path | None = None, dry_run: bool = False) -> Undone:
    """Make the files of a library what they were before the first caption was written.

    Args:
        log: of the library.
        table: the CSV, if that is the form.
        dry_run: only find out which files would be restored.

    Raises:
        StorageError: a process is at work in this library, or the log is damaged.
    """
    if not log.exists:
        return Undone()
    if log.is_busy():
        raise StorageError("A process is captioning this folder. Stop it before you use --undo.")
    found, kept = Undone(), []
    for change in log.changes():
        if change.file in found.changed or not _undone(log, change, found, dry_run=dry_run):
            kept.append(change)
    if table is not None and log.table is not None and table.exists():
        if table_is_unchanged(table, log.table):
            found.restored.add(str(table))
            if not dry_run:
                table.unlink()
        else:
            found.changed.add(str(table))
    if not dry_run:
        log.forget_all_but(kept)
    return found


def _undone(log: LibraryLog, change: Change, found: Undone, *, dry_run: bool) -> bool:
    """Undo one change; False if the file was changed since."""
    path = Path(change.file)
    try:
        content: bytes | None = read_regular_file(path, _MAX_BYTES)
    except FileNotFoundError:
        content = None
    except (OSError, ValueError) as error:  # ValueError: no file can have this name
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(f"{quoted(change.file)} cannot be read: {reason}.") from error
    now = "" if content is None else digest(content)
    if now == change.before:  # never made, or undone already
        return True
    if now != change.after:
        # In a rehearsal the later change of the same file is still there.
        if dry_run and change.file in found.restored:
            return True
        found.changed.add(change.file)
        found.restored.discard(change.file)
        return False
    if not dry_run:
        try:
            _restore(path, change, log, content or b"")
        except OSError as error:
            raise StorageError(f"{path} cannot be restored: {error.strerror}.") from error
    found.restored.add(change.file)
    return True


def _restore(path: Path, change: Change, log: LibraryLog, content: bytes) -> None:
    if not change.before:
        path.unlink()
        return
    old = old_from_patch(log.before(change), content)
    if digest(old) != change.before:
        raise StorageError(f"The log in {log.folder} is damaged: {path} is left as it is.")
    with replacing(path) as part:
        part.write_bytes(old)
        with contextlib.suppress(OSError):  # not every file system has them
            os.chmod(part, change.mode)
            os.utime(part, ns=(change.modified, change.modified))
