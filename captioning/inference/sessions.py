"""ONNX Runtime sessions, with settings for small networks on a few cores."""

import os
from pathlib import Path

import onnxruntime

__all__ = ["open_session"]


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
