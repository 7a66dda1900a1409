"""Folders of one data folder that each hold a `config.json`: the training runs, or the searches."""

import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from captioning.errors import CaptioningError, RunError
from captioning.processes import lock
from captioning.storage import data_folder, replacing_folder, write_json, write_text
from captioning.text import readable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class _Dated(Protocol):
    @property
    def created(self) -> float: ...


@dataclass(frozen=True)
class Record(ABC):
    """One folder of a store, as it was when it was read.

    Attributes:
        folder: its name is the record's id.
        status: its state.
    """

    kind: ClassVar[str]
    """What error messages call it."""

    folder: Path
    status: _Dated

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder.

        Raises:
            RunError: it does not exist or has no `config.json`.
        """
        if not (folder / "config.json").exists():
            raise RunError(f"There is no {cls.kind} called '{folder.name}'.")
        return cls._read(folder)

    @classmethod
    @abstractmethod
    def _read(cls, folder: Path) -> Self:
        """Read a folder that has a `config.json`."""

    @property
    @abstractmethod
    def config(self) -> Any:
        """Its settings.

        Raises:
            ConfigError: `config.json` is damaged.
        """

    @property
    def id(self) -> str:
        """Its name in the store."""
        return self.folder.name


R = TypeVar("R", bound=Record)


class FolderStore(ABC, Generic[R]):
    """The records of one data folder.  Any number of processes may use them at once.

    Args:
        data: the data folder; by default `$CAPTIONING_DATA`.
    """

    record: type[R]
    folder_name: ClassVar[str]

    def __init__(self, data: Path | None = None) -> None:
        self.data = (data or data_folder()).absolute()
        self.folder = self.data / self.folder_name

    def all(self) -> list[R]:
        """Return all records whose settings can be read, the newest first; see `damaged`."""
        return self._read_all()[0]

    def damaged(self) -> dict[str, str]:
        """Return the names of the records that `all` leaves out, and what is wrong with each."""
        return self._read_all()[1]

    def _read_all(self) -> tuple[list[R], dict[str, str]]:
        found: list[R] = []
        damaged: dict[str, str] = {}
        for folder in sorted(p for p in self.folder.glob("[!.]*") if p.is_dir()):
            if folder.suffix == ".json":  # in the place of a file of the store
                continue
            if (name := readable(folder.name)) != folder.name:
                damaged[name] = "The name of its folder is not UTF-8. Rename it."
                continue
            if not (folder / "config.json").exists():
                damaged[folder.name] = "Its config.json is missing."
                continue
            try:
                record = self.record.read(folder)
                _ = record.config  # read once and kept with the record
                found.append(record)
            except CaptioningError as error:
                damaged[folder.name] = str(error)
        found.sort(key=lambda record: (record.status.created, record.id), reverse=True)
        return found, damaged

    def get(self, name: str) -> R:
        """Return the record called `name`.

        Raises:
            RunError: it does not exist.
        """
        if not _NAME.fullmatch(name):
            raise RunError(f"{name!r} is not the name of a {self.record.kind}.")
        return self.record.read(self.folder / name)

    def delete(self, name: str) -> None:
        """Delete a record with everything in its folder.

        Raises:
            RunError: it is under way; stop it first.
        """
        with self._lock():
            self._prepare_deletion(name)
            folder = self.get(name).folder
            hidden = folder.with_name(f".{name}.deleted")
            folder.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)

    @abstractmethod
    def _prepare_deletion(self, name: str) -> None:
        """Refuse to delete what is under way.  Needs the lock."""

    def _create(self, title: str, files: Mapping[str, Any], *, suffix: str = "") -> R:
        """Make a folder that holds `files`, named after `title` and the time.

        Args:
            title: letters and digits of it begin the folder's name.
            files: content by file name: a text, or anything else as JSON.
            suffix: follows the title in the folder's name.

        Raises:
            RunError: the folder cannot be written.
        """
        kind = self.record.kind
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or kind
        stem = f"{slug}{suffix}-{time.strftime('%d%b-%H%M').lower()}"
        names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 10_000))
        with self._lock():
            folder = next(self.folder / n for n in names if not (self.folder / n).exists())
            with replacing_folder(folder, durable=True) as part:
                for name, content in files.items():
                    write = write_text if isinstance(content, str) else write_json
                    write(part / name, content)
        return self.record.read(folder)

    def _lock(self) -> AbstractContextManager[None]:
        """Hold the lock of the store."""
        return self.locked(".lock")

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a lock that all processes share which use this data folder.

        Args:
            name: of its file. What the store itself does inside the block takes another one.

        Raises:
            RunError: a file cannot be written, here or in the block.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with lock(self.folder / name):
                yield
        except OSError as error:
            raise RunError(
                f"A file in {self.folder} cannot be read or written: {error.strerror}. Free some "
                "disk space if it is full."
            ) from error
