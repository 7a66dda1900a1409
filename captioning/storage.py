"""Folders of the program, and reading and writing files: completely or not at all.

All files that the program writes are in `data_folder()`.  A file is written next to its final place
and then moved there, so a reader never sees half of it, also after a full disk or a kill.  Reading
checks that a file is a regular one: a named pipe would block the reader forever, and a device such
as /dev/zero never ends.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from captioning.errors import CaptioningError, StorageError

T = TypeVar("T")

_PACKAGE = Path(__file__).resolve().parent
# An installed package carries what a checkout has at its top level in this folder.
_SHIPPED = _PACKAGE / "shipped"
MAX_JSON_BYTES = 20_000_000
"""The largest size of a JSON file of a model, a run or a search."""

MAX_INDEX_BYTES = 256 * 1024 * 1024
"""The largest size of a JSON file with a line for each photo of a data set."""

# Karpathy's file of COCO, the largest known one, has 2 million and 10 million.
_MOST_JSON_CONTAINERS, _MOST_JSON_VALUES = 5_000_000, 15_000_000
# The last 12 days of a run that reports every second; a record of all its epochs; the rest is less
_MOST_LINES, _MOST_LINE_BYTES, _MOST_SELECTED_BYTES = 1_000_000, 2_000_000, 10_000_000
_JSON_KINDS: dict[type, str] = {dict: "object", list: "list", str: "text"}
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def data_folder() -> Path:
    """Return the folder under which everything is written.

    That is `$CAPTIONING_DATA` if it is set, `data` inside a checkout, and otherwise the folder that
    the platform gives each user for an application's data.
    """
    if chosen := os.environ.get("CAPTIONING_DATA"):
        return Path(os.path.expanduser(chosen))
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
    """Yield a path to write to, and move it to `path` at the end.

    If the block raises, or the disk is full, `path` is not changed.  Missing folders are created.

    Args:
        path: the file to write or replace.
        durable: whether to wait until the disk has the bytes, so that they survive a power
            failure.  Costs milliseconds.

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
    """Yield an empty folder to fill, and move it to `folder` at the end.

    If the block raises, or the disk is full, `folder` is not changed.

    Args:
        folder: the folder to create or replace.
        durable: as in `replacing`.

    Raises:
        OSError: the folder cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    old = _old(folder)
    try:
        restore_replaced(folder)
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


def restore_replaced(folder: Path) -> None:
    """Put back a folder that a kill has left moved away, in the middle of `replacing_folder`.

    Two moves replace a folder, and between them there is none.  Call it only when no process is
    writing the folder.

    Raises:
        OSError: it cannot be moved.
    """
    if not folder.exists() and _old(folder).is_dir():
        _move(_old(folder), folder)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write or replace a text file in UTF-8, without converting line ends.

    A byte of a file name that is not UTF-8 is written as an escape, which JSON reads back.

    Raises:
        OSError: the file cannot be written; the old one is not changed.
    """
    with replacing(path, durable=durable) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_json(path: Path, content: Any, *, durable: bool = False) -> None:
    """Write or replace a JSON file, indented for people.

    Raises:
        OSError: the file cannot be written; the old one is not changed.
    """
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n", durable=durable)


def read_json(
    path: Path,
    kind: type[T],
    *,
    error: type[CaptioningError] = StorageError,
    max_bytes: int = MAX_JSON_BYTES,
) -> T:
    """Read a JSON file whose content must be of type `kind`: `dict`, `list` or `str`.

    Args:
        path: the file.
        kind: the type of its content.
        error: what to raise.
        max_bytes: its largest size, by default 20 MB.

    Raises:
        error: the file is missing, unreadable, damaged, too large, or holds something else.
    """
    try:
        data = read_regular_file(path, max_bytes)
        content = parse_json(data.decode("utf-8"))
    except FileNotFoundError:
        raise error(f"{path} cannot be read: the file is missing.") from None
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise error(f"{path} cannot be read: it is not valid JSON ({problem}).") from problem
    if not isinstance(content, kind):
        raise error(f"{path}: expected a JSON {_JSON_KINDS[kind]}, found {type(content).__name__}.")
    return content


def parse_json(text: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Parse a JSON document, unless it would take many times the memory of its text.

    Args:
        text: the document.
        object_hook: as for `json.loads`.

    Raises:
        ValueError: it is not JSON, or it has more than 5 million lists and objects, or more than
            15 million values.
        RecursionError: it is nested too deeply.
    """
    if text.count("[") + text.count("{") > _MOST_JSON_CONTAINERS:
        raise ValueError(f"more than {_MOST_JSON_CONTAINERS:,} lists and objects")
    if text.count(",") > _MOST_JSON_VALUES:
        raise ValueError(f"more than {_MOST_JSON_VALUES:,} values")
    return json.loads(text, object_hook=object_hook)


def append_json_line(path: Path, content: Any) -> None:
    """Append one line of JSON; a last line that a kill has cut short is ended first.

    Raises:
        OSError: the line cannot be written.
    """
    line = json.dumps(content, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
    with open(path, "ab+", buffering=0) as file:
        if size := file.seek(0, os.SEEK_END):
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)


def read_json_lines(path: Path, max_bytes: int) -> list[dict[str, Any]]:
    """Read the JSON objects that `append_json_line` wrote, without damaged lines.

    A file that is missing or not a regular file has no lines.

    Args:
        path: the file.
        max_bytes: its largest size.

    Raises:
        StorageError: it is larger.
    """
    try:
        lines = read_regular_file(path, max_bytes).split(b"\n")
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise StorageError(
                f"{path} cannot be read: {error.strerror}. Move it away to go on without it."
            ) from error
        return []
    return _json_objects(lines)


def read_long_json_lines(
    path: Path, select: Callable[[list[bytes]], list[bytes]]
) -> list[dict[str, Any]]:
    """Read some of the JSON objects of a file that may be long, without damaged lines.

    Of its last 256 MB and its last million lines, at most 10 MB are selected and read.  A file that
    is missing or not a regular file has no lines.

    Args:
        path: the file.
        select: returns the lines to read, of all lines.
    """
    try:
        with open_regular_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - MAX_INDEX_BYTES))
            found = file.read(min(size, MAX_INDEX_BYTES)).rsplit(b"\n", _MOST_LINES)
    except OSError:
        return []
    lines = select([line for line in found[-_MOST_LINES:] if 0 < len(line) <= _MOST_LINE_BYTES])
    sizes = accumulate(map(len, reversed(lines)))
    count = sum(size <= _MOST_SELECTED_BYTES for size in sizes)
    return _json_objects(lines[len(lines) - count :])


def _json_objects(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    return [content for line in lines if (content := _json_object(line)) is not None]


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


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
    """Return the bytes of a regular file.

    Raises:
        OSError: it cannot be read, is not a regular file (`errno.EINVAL`), or has more than
            `max_bytes` (`errno.EFBIG`).
        ValueError: the path contains a zero byte.
    """
    with open_regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise OSError(errno.EFBIG, f"it has more than {max_bytes / 1e6:,.3g} MB", str(path))
        return file.read(size)  # not more: a buffer of that size is allocated at once


def open_regular_file(path: str | Path | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises:
        OSError: it cannot be read, or is not a regular file (`errno.EINVAL`).
        ValueError: the path contains a zero byte.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe, a device or the like", str(path))
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk.

    Otherwise a power failure may leave a moved file empty, or undo the move.  If the system cannot
    do this, as for a folder on Windows, nothing happens.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
