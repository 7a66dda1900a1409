"""Where files live, and how they are written: whole or not at all, by one process at a time.

Whatever the program writes lies under `data_folder()`.  A file is written next to its final place
and then moved there, so that a reader, a full disk or a kill never meets half of it.
"""

import contextlib
import errno
import json
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from captioning.errors import StorageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = [
    "app_file",
    "append_json_line",
    "data_folder",
    "flush_to_disk",
    "hold",
    "is_held",
    "lock",
    "read_json",
    "read_json_lines",
    "read_regular_file",
    "replacing",
    "replacing_folder",
    "shipped_configs",
    "shipped_models",
    "write_json",
    "write_text",
]

T = TypeVar("T")

_PACKAGE = Path(__file__).resolve().parent
# An installed package carries what a checkout has at its top level in this folder.
_SHIPPED = _PACKAGE / "shipped"
_MOST_JSON_BYTES = 256 * 1024 * 1024
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def data_folder() -> Path:
    """Return the folder under which everything is written.

    That is `$CAPTIONING_DATA` if it is set, `data` inside a checkout, and otherwise the folder that
    the platform gives each user for an application's data.
    """
    if chosen := os.environ.get("CAPTIONING_DATA"):
        return Path(chosen).expanduser()
    if not _SHIPPED.is_dir():
        return _PACKAGE.parent / "data"
    from platformdirs import user_data_path

    return user_data_path("captioning", appauthor=False)


def shipped_models() -> Path:
    """Return the folder of the bundles that come with the program."""
    return _shipped() / "models"


def shipped_configs() -> Path:
    """Return the folder of the training configurations that come with the program."""
    return _shipped() / "configs"


def app_file() -> Path:
    """Return the script that `streamlit run` opens the app with."""
    return _shipped() / "app.py"


def _shipped() -> Path:
    return _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a path to write to; what is written there takes the place of `path` at the end.

    If the block raises, or the disk is full, `path` stays as it was.  Missing folders are made.

    Args:
        path: the file to write or replace.
        durable: whether to wait until the disk itself has the bytes, so that not even a power
            failure loses them.  Costs milliseconds.

    Raises:
        OSError: the file cannot be written.
    """
    # Two threads, or two processes, may write the same file at once.
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if durable:
            flush_to_disk(part)
        _move(part, path)
        if durable:
            flush_to_disk(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; it takes the place of `folder` at the end.

    If the block raises, or the disk is full, `folder` stays as it was.

    Args:
        folder: the folder to make or replace.
        durable: as in `replacing`.

    Raises:
        OSError: the folder cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    old = folder.with_name(f".{folder.name}.old")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if durable:
            for path in (*part.rglob("*"), part):
                flush_to_disk(path)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            _move(folder, old)
        try:
            _move(part, folder)
        except OSError:
            if old.exists():
                _move(old, folder)
            raise
        if durable:
            flush_to_disk(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write or replace a text file in UTF-8; line ends stay as they are.

    Raises:
        OSError: the file cannot be written; what was there stays.
    """
    with replacing(path, durable=durable) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, content: Any, *, durable: bool = False) -> None:
    """Write or replace a JSON file, indented for people who read it.

    Raises:
        OSError: the file cannot be written; what was there stays.
    """
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n", durable=durable)


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file whose content has to be a `kind`, such as `dict`.

    Raises:
        StorageError: the file is missing, unreadable, damaged, too large, or holds something else.
    """
    try:
        content = json.loads(read_regular_file(path, _MOST_JSON_BYTES))
    except FileNotFoundError:
        raise StorageError(f"{path} is missing.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, kind):
        raise StorageError(
            f"{path} is damaged: expected a JSON {kind.__name__}, found {type(content).__name__}."
        )
    return content


def append_json_line(path: Path, content: Any) -> None:
    """Append one line of JSON; if a kill has cut the last line short, it is ended first.

    Raises:
        OSError: the line cannot be written.
    """
    line = json.dumps(content, ensure_ascii=False).encode() + b"\n"
    with open(path, "ab+", buffering=0) as file:
        if size := file.seek(0, os.SEEK_END):
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read the JSON objects that `append_json_line` wrote; damaged lines are left out.

    A file that is missing, or no ordinary one, has no lines.
    """
    try:
        lines = read_regular_file(path, _MOST_JSON_BYTES).splitlines()
    except OSError:
        return []
    return [content for line in lines if (content := _json_object(line)) is not None]


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Wait for the lock on `path` and hold it inside the block, among threads and processes.

    Raises:
        OSError: the file cannot be made.
    """
    from filelock import FileLock  # not at the top: the command line starts in milliseconds

    with FileLock(path, thread_local=False, poll_interval=0.01):
        yield


def hold(path: Path, *, patience: float = 0.0) -> "BaseFileLock | None":
    """Take the lock on `path` and keep it until its `release` or the end of the process.

    The system releases it when the process ends, even if it is killed.

    Args:
        path: a file made for the lock alone; it stays when the lock is released.
        patience: seconds to wait for whoever holds it; -1 waits for ever.

    Returns:
        The lock, which any thread may release, or None if somebody else holds it.

    Raises:
        OSError: the file cannot be made.
    """
    from filelock import FileLock, Timeout

    found = FileLock(path, thread_local=False)
    try:
        found.acquire(timeout=patience, poll_interval=0.01)
    except Timeout:
        return None
    return found


def is_held(path: Path) -> bool:
    """Tell whether a living process holds the lock on `path`."""
    if not path.exists():
        return False
    try:
        found = hold(path)
    except OSError:
        return False
    if found is not None:
        found.release()
    return found is None


def _move(source: Path, target: Path) -> None:
    """Move a file or folder to `target`; a file there is replaced."""
    for pause in _PAUSES:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if sys.platform != "win32":
                raise
            time.sleep(pause)  # on Windows, while another process reads the file
    os.replace(source, target)


def read_regular_file(path: str | Path | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the bytes of an ordinary file.

    Raises:
        OSError: it cannot be read, is no ordinary file (`errno.EINVAL`), or has more than
            `max_bytes` (`errno.EFBIG`).
        ValueError: the path has a zero byte in it.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, a device or the like", str(path))
        if status.st_size > max_bytes:
            raise OSError(errno.EFBIG, f"it has more than {max_bytes / 1e6:,.3g} MB", str(path))
        return file.read(status.st_size)  # not more: a buffer of that size is taken at once


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, has reached the disk.

    A file moved into place may otherwise be empty after a power cut, and the move undone.  Where
    the system cannot do this, as for a folder on Windows, nothing happens.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
