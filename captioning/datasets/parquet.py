"""Parquet files, with photos inside or next to them, as from Hugging Face; read with pyarrow.

Photos inside are read one by one and often, so they are unpacked once into the data folder, next to
a table of their captions; after that the unpacked folder is the data set.
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from captioning.datasets.assembly import MAX_CAPTIONS, assemble_rows, too_many
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.photo_files import is_photo, photo_files
from captioning.datasets.splitting import known_split, official_splits, split_in_name
from captioning.datasets.tables import (
    CAPTION_KEYS,
    IMAGE_KEYS,
    SPLIT_KEYS,
    column_key,
    numbered,
    read_table,
)
from captioning.errors import DatasetError
from captioning.storage import data_folder, replacing_folder

_FOLDERS = ("data", "default", "parquet")
# Fewer rows at once need less memory, but more time, which matters for millions of texts.
_ROWS_AT_ONCE, _FEWEST_TEXTS = 64, 8
_BYTES_AT_ONCE = 256_000_000
_PHOTO = 10_000
"""Bytes of a row that holds a photo, and not only text."""
# Packed texts take about a quarter of their space, and rows may refer to one copy of a photo.
_MAX_GROWTH, _SMALL, _SMALL_TABLE = 100, 50_000_000, 200_000_000
_MAX_VALUES = 15_000_000
_LONGEST_NAME = 200  # bytes
_SIGNATURES = {b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp"}


def parquet_files(root: Path) -> list[Path]:
    """Return the Parquet files of a download: in a folder, its `data` or its splits' folders."""
    folders = [root]
    for folder in folders:  # grows while it is walked
        inner = entries(folder).items()
        folders += [
            p for name, p in inner if (name in _FOLDERS or known_split(name)) and os.path.isdir(p)
        ]
    found = [path for folder in folders for path in entries(folder).values()]
    # Only regular files: opening a named pipe would block.
    named = [p for p in found if p.suffix.lower() == ".parquet" and not p.name.startswith(".")]
    return [path for path in named if os.path.isfile(path)]


@dataclass
class _Unpacking:
    """The photos that were written so far: name by digest, and their folder.

    The same photo may be in several rows, one per caption; it is written once.
    """

    folder: Path
    by_digest: dict[str, str]
    names: set[str]

    def write(self, data: bytes, path: str) -> str:
        """Write a photo, unless it is there; return its name.

        Args:
            data: Of the image file.
            path: The name that the Parquet file gives it, or "".
        """
        digest = hashlib.sha256(data).hexdigest()[:20]
        if digest not in self.by_digest:
            name = PurePosixPath(path.replace("\\", "/")).name
            safe = name.isprintable() and is_photo(name) and not set(name) & set('<>:"|?*')
            safe = safe and len(name.encode()) <= _LONGEST_NAME
            if not safe or name.lower() in self.names:
                ending = next((e for s, e in _SIGNATURES.items() if data.startswith(s)), ".jpg")
                name = digest + ending
            (self.folder / name).write_bytes(data)
            self.by_digest[digest] = name
            self.names.add(name.lower())
        return self.by_digest[digest]


def _read(root: Path, encoding: str | None = None) -> CaptionDataset:
    files = parquet_files(root)
    unpacked = _unpacked_folder(root, files)
    if not (unpacked / "captions.csv").exists():
        _unpack(root, files, unpacked)
    oddities = Oddities()
    rows = read_table(unpacked / "captions.csv", oddities)
    inside = any((unpacked / "photos").iterdir())
    photos = photo_files(unpacked if inside else root)
    official = not official_splits().keys().isdisjoint(photos.names)
    lists = official_splits() if official and not any(row.split for row in rows) else None
    found = assemble_rows(rows, photos, root, oddities, lists=lists)
    if inside:
        oddities.decisions.append(f"The photos in its Parquet files are unpacked in '{unpacked}'.")
    return CaptionDataset(root.name, root, found, photos.folder, oddities)


def _unpacked_folder(root: Path, files: list[Path]) -> Path:
    stats = [(str(p.relative_to(root)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    digest = hashlib.sha256(repr((str(root), stats)).encode(errors="surrogateescape"))
    return data_folder() / "unpacked" / digest.hexdigest()[:16]


def _unpack(root: Path, files: list[Path], folder: Path) -> None:
    """Write the photos and a table of their captions, and move them into place at the end.

    Raises:
        DatasetError: pyarrow is missing, a file is damaged, there are no photos with captions in
            the files, or the disk is full.
    """
    try:
        with replacing_folder(folder) as part:
            (part / "photos").mkdir()
            unpacking = _Unpacking(part / "photos", {}, set())
            with (part / "captions.csv").open("w", newline="", encoding="utf-8") as table:
                _write_table(files, unpacking, table)
    except OSError as error:
        raise DatasetError(
            f"The photos in '{root}' cannot be unpacked into '{folder}' ({error.strerror})."
        ) from error


def _write_table(files: list[Path], unpacking: _Unpacking, table: TextIO) -> None:
    splits = {path: split_in_name(path.stem) or known_split(path.parent.name) for path in files}
    differ = len(set(splits.values()) - {None}) > 1
    writer = csv.writer(table)
    writer.writerow(["image", "caption", "split"])
    written = 0
    for path in files:
        grown, most = 0, max(_SMALL_TABLE, _MAX_GROWTH * path.stat().st_size)
        for row, (data, name, texts, split) in enumerate(_records(path), start=1):
            written += max(1, len(texts))
            grown += len(data) + len(name) + sum(map(len, texts))
            if written > MAX_CAPTIONS:
                raise too_many(path.parent)
            if grown > most:
                raise _too_large(path)
            # A row without a photo is written too, so that loading reports it.
            image = unpacking.write(data, name) if data else name or f"row {row} of {path.name}"
            given = split or (splits[path] if differ else None) or ""
            writer.writerows((image, " ".join(text.split()), given) for text in texts or [""])


def _records(path: Path) -> Iterator[tuple[bytes, str, list[str], str | None]]:
    """Yield the bytes, name, captions and split of each row of a Parquet file."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise DatasetError(
            f"'{path}' is a Parquet file; reading it needs pyarrow (pip install pyarrow)."
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow, path)
            rows = _rows_at_once(file.metadata, columns.all, path)
            for batch in file.iter_batches(rows, columns=columns.all):
                for values in zip(*batch.columns, strict=True):
                    row = (value.as_py() for value in values)
                    yield columns.record(dict(zip(batch.schema.names, row, strict=True)))
    except DatasetError:
        raise
    except Exception as error:  # pyarrow raises whatever a damaged part causes
        raise DatasetError(
            f"'{path}' is damaged or incomplete: it is not a Parquet file ({error}). Download it "
            "again."
        ) from error


def _too_large(path: Path) -> DatasetError:
    return DatasetError(
        f"'{path}' unpacks to more than {_MAX_GROWTH} times its size, which no file of photos does."
    )


def _rows_at_once(metadata: Any, columns: Collection[str], path: Path) -> int:
    """Return how many rows to read at once, so that they fit into memory.

    Raises:
        DatasetError: There are too many rows, or a small file with hundreds of megabytes in it.
    """
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    chunks = (group.column(i) for group in groups for i in range(group.num_columns))
    largest, heaviest, values = 0, 0.0, Counter[str]()
    for chunk in chunks:
        if chunk.path_in_schema.partition(".")[0] not in columns:
            continue
        size, packed = chunk.total_uncompressed_size, max(1, chunk.total_compressed_size)
        if size > _SMALL and size > _MAX_GROWTH * packed:
            raise _too_large(path)
        largest, heaviest = max(largest, size), max(heaviest, size / max(1, chunk.num_values))
        values[chunk.path_in_schema] += chunk.num_values
    if metadata.num_rows > MAX_CAPTIONS or max(values.values(), default=0) > _MAX_VALUES:
        raise too_many(path)
    fewest = 1 if heaviest > _PHOTO else _FEWEST_TEXTS
    return min(_ROWS_AT_ONCE, max(fewest, _BYTES_AT_ONCE // max(1, largest)))


@dataclass(frozen=True)
class _Columns:
    """The columns of a Parquet file that are read."""

    image: str
    captions: tuple[str, ...]
    split: str | None
    name: str | None

    @property
    def all(self) -> list[str]:
        """Their names."""
        return [n for n in (self.image, *self.captions, self.split, self.name) if n]

    def record(self, row: dict[str, Any]) -> tuple[bytes, str, list[str], str | None]:
        """Return a row's photo (empty if it has none), name, captions and split."""
        image = row[self.image]
        data = image if isinstance(image, bytes) else None
        name = image if isinstance(image, str) else ""
        if isinstance(image, dict):
            data, name = image.get("bytes"), image.get("path") or ""
        if self.name is not None:
            name = name or row[self.name] or ""
        texts = [text for column in self.captions for text in _texts(row[column])]
        split = row[self.split] if self.split else None
        return data or b"", str(name), texts, split if isinstance(split, str) else None


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return _texts(next((value[k] for k in ("raw", "caption", "text") if k in value), None))
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) and value.strip() else []


def _columns(schema: Any, path: Path) -> _Columns:
    from pyarrow import types

    def holds_bytes(kind: Any) -> bool:
        if types.is_struct(kind):
            return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    keys = [column_key(name) for name in schema.names]
    image = next((field.name for field in schema if holds_bytes(field.type)), None)
    if image is None:
        image = next((schema.names[keys.index(key)] for key in IMAGE_KEYS if key in keys), None)
    captions = next(filter(None, (numbered(keys, key) for key in CAPTION_KEYS)), ())
    if image is None or not captions:
        raise DatasetError(
            f"'{path}' has no column of photos with a column of captions ('image' and 'caption'), "
            f"but {', '.join(schema.names[:10])}."
        )
    split = next((schema.names[keys.index(k)] for k in SPLIT_KEYS if k in keys), None)
    name = next((schema.names[keys.index(k)] for k in ("filename", "imagename") if k in keys), None)
    return _Columns(image, tuple(schema.names[i] for i in captions), split, name)


ADAPTER = Adapter(
    name="Parquet",
    looked_for="Parquet files with captions and photos, as from Hugging Face",
    captions="`train-00000-of-00001.parquet`, ... with columns such as `image` and `caption`; it "
    "needs pyarrow, which comes with the app",
    photos="inside the files, and then unpacked once into `unpacked/` in the data folder; or below "
    "the folder",
    splits="a column, else the files' names, else Flickr8k's official ones for its photos, else "
    "drawn",
    inner_folders=frozenset(),
    fits=lambda root: bool(parquet_files(root)),
    read=_read,
)
