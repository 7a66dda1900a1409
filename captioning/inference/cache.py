"""A cache of graphs in the data folder; each graph is written on first use."""

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
"""Increase it when the way graphs are written changes: graphs of other versions are ignored."""

MOST_GRAPHS = 60
"""Maximum number of graphs on disk; the least recently used ones are deleted."""


def graph_key(*parts: object) -> str:
    """Return a key of 32 hex digits for the parts and `GRAPH_VERSION`."""
    return hashlib.sha256(repr((GRAPH_VERSION, *parts)).encode()).hexdigest()[:32]


def cached_session(key: str, write: Callable[[], bytes], *, threads: int = 1) -> InferenceSession:
    """Open the cached graph with a key, and write it first if there is none.

    If the folder cannot be written, the graph is built each time.

    Args:
        key: from `graph_key`, with the kind of graph.
        write: returns the contents of the graph file.
        threads: number of threads per call.
    """
    path = data_folder() / "cache" / "graphs" / f"{key}.onnx"
    with suppress(Exception):  # missing or damaged: ONNX Runtime raises many types
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
