"""A folder on this machine or in an object store such as S3, read and written by address."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from pyarrow import fs

from captioning.batch.sources import photo_names
from captioning.errors import ImageError, StorageError
from captioning.image_formats import has_photo_ending
from captioning.storage import replacing


class Bucket:
    """A folder, by path or by address.

    Args:
        address: a path, an address that Arrow knows, such as `s3://bucket/folder` or
            `gs://bucket/folder`, or one that an installed fsspec package knows.

    Raises:
        StorageError: no file system has such addresses.
    """

    def __init__(self, address: str) -> None:
        local = "://" not in address
        self.address = str(Path(address).absolute()) if local else address.rstrip("/")
        self._files, self._path = _opened(self.address)

    def photos(self) -> Iterator[str]:
        """Yield the photos of the folder and of the folders in it, sorted.

        One folder at a time is listed. Hidden files are left out.

        Yields:
            Paths below the folder, with `/` between folders.

        Raises:
            ImageError: there is no such folder.
            StorageError: it cannot be listed.
        """
        with self._reporting("listed"):
            if self._files.get_file_info(self._path).type != fs.FileType.Directory:
                raise ImageError(f"There is no folder '{self.address}'.")
            if isinstance(self._files, fs.LocalFileSystem):
                yield from photo_names(Path(self._path))
            else:
                yield from self._photos_in("")

    def read(self, name: str, max_bytes: int | None = None) -> bytes:
        """Read a file, or its first `max_bytes`.

        Raises:
            OSError: it cannot be read.
        """
        with self._files.open_input_stream(f"{self._path}/{name}") as file:
            content: bytes = file.read(max_bytes)
            return content

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file; readers see all of it or the old one.

        Raises:
            StorageError: it cannot be written.
        """
        path = f"{self._path}/{name}"
        with self._reporting("written"):
            if isinstance(self._files, fs.LocalFileSystem):
                with replacing(Path(path)) as part:
                    part.write_bytes(content)
            else:  # an object appears when its upload is complete
                with self._files.open_output_stream(path) as file:
                    file.write(content)

    def names(self, ending: str) -> set[str]:
        """Return the names of files directly in the folder, without their `ending`.

        Raises:
            StorageError: the folder cannot be listed.
        """
        with self._reporting("listed"):
            found = self._files.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
        return {
            info.base_name.removesuffix(ending)
            for info in found
            if info.base_name.endswith(ending) and not info.base_name.startswith(".")
        }

    def read_json(self, name: str) -> Any:
        """Read a JSON file; None if there is none.

        Raises:
            StorageError: it cannot be read.
        """
        with self._reporting("read"):
            try:
                return json.loads(self.read(name))
            except FileNotFoundError:
                return None
            except ValueError as error:
                raise StorageError(f"{self.address}/{name} is damaged: {error}.") from error

    def write_json(self, name: str, content: Any) -> None:
        """Write or replace a JSON file.

        Raises:
            StorageError: it cannot be written.
        """
        self.write(name, json.dumps(content, ensure_ascii=False).encode())

    def _photos_in(self, above: str) -> Iterator[str]:
        found = self._files.get_file_info(fs.FileSelector(f"{self._path}/{above}".rstrip("/")))
        folders = {info.base_name + "/" for info in found if info.type == fs.FileType.Directory}
        files = {info.base_name for info in found if info.type == fs.FileType.File}
        for name in sorted(folders | files):
            if name.startswith((".", "__MACOSX")):
                continue
            if name in folders:
                yield from self._photos_in(above + name)
            elif has_photo_ending(name):
                yield above + name

    @contextlib.contextmanager
    def _reporting(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self.address} cannot be {done}: {error}.") from error


def _opened(address: str) -> tuple[fs.FileSystem, str]:
    if "://" not in address:
        return fs.LocalFileSystem(), address
    try:
        files, path = fs.FileSystem.from_uri(address)
    except ValueError:  # Arrow does not know such addresses
        try:
            other, path = fsspec.core.url_to_fs(address)
        except (ValueError, ImportError) as error:
            raise StorageError(f"'{address}' cannot be opened: {error}.") from error
        files = fs.PyFileSystem(fs.FSSpecHandler(other))
    return files, path.rstrip("/")
