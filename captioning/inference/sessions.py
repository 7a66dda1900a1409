"""ONNX Runtime sessions for small networks on a few cores, and a cache of their graphs."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import onnxruntime
from onnxruntime import InferenceSession

from captioning.storage import data_folder, replacing

GRAPH_VERSION = 2
"""Increase it when the way graphs are written changes: graphs of other versions are ignored."""

MOST_GRAPHS = 60
"""Maximum number of graphs on disk; the least recently used ones are deleted."""


def _threads() -> int:
    """Return the threads of an encoder; Ray sets `OMP_NUM_THREADS` to a worker's share."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(4, int(asked) if asked.isdecimal() else os.cpu_count() or 1))


THREADS = _threads()


def open_session(graph: Path | bytes, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        graph: a file, or its contents.
        threads: number of threads per call.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A waiting thread that spins would take a core from other work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


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
