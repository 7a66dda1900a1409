"""Graphs that are written once, on first use, and kept in the data folder."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from onnxruntime import InferenceSession

from captioning.inference.sessions import open_session
from captioning.storage import data_folder, replacing

__all__ = ["GRAPH_VERSION", "cached_session", "graph_key"]

GRAPH_VERSION = 2
"""Raise it when the graphs are written differently: graphs of another version are not used."""

MOST_GRAPHS = 60
"""Graphs on disk; the least recently used ones are deleted."""


def graph_key(*parts: object) -> str:
    """Return 32 hexadecimal digits that change with any of the parts and with `GRAPH_VERSION`."""
    return hashlib.sha256(repr((GRAPH_VERSION, *parts)).encode()).hexdigest()[:32]


def cached_session(key: str, write: Callable[[], bytes], *, threads: int = 1) -> InferenceSession:
    """Open the graph kept under `key`; if there is none, write it and keep it.

    In a folder that cannot be written the graph is built anew each time.

    Args:
        key: of `graph_key`, and what the graph is.
        write: returns the content of the graph's file.
        threads: that share the work of one call.
    """
    path = data_folder() / "cache" / "graphs" / f"{key}.onnx"
    with suppress(Exception):  # no such file, or a damaged one: ONNX Runtime has many errors
        session = open_session(path, threads=threads)
        with suppress(OSError):
            os.utime(path)
        return session
    graph = write()
    with suppress(OSError):
        with replacing(path) as part:
            part.write_bytes(graph)
        _delete_oldest(path.parent)
    return open_session(graph, threads=threads)


def _delete_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.onnx"), key=lambda file: file.stat().st_mtime)
    for file in files[:-MOST_GRAPHS]:
        file.unlink(missing_ok=True)
