"""Encoders and decoders run by ONNX Runtime on a few cores, and a cache of their graphs."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime import InferenceSession

from captioning.config import EncoderConfig
from captioning.decoding import Beginning, Step
from captioning.encoders import PhotoEncoder
from captioning.storage import data_folder, replacing

AT_ONCE = 8
"""Photos per call; larger batches are not faster and need more memory."""

GRAPH_VERSION = 2
"""Increase it when the way graphs are written changes: graphs of other versions are ignored."""

MOST_GRAPHS = 60
"""Maximum number of graphs on disk; the least recently used ones are deleted."""


def _threads() -> int:
    """Return the threads of an encoder; Ray sets `OMP_NUM_THREADS` to a worker's share."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(4, int(asked) if asked.isdecimal() else os.cpu_count() or 1))


THREADS = _threads()


class OnnxDecoder:
    """A `StepModel` that runs the two graphs of a decoder.

    Args:
        memory: session of `memory_graph`.
        step: session of `step_graph`.
        max_length: maximum length of a caption, including EOS.
        vocabulary_size: V.
    """

    def __init__(
        self,
        memory: InferenceSession,
        step: InferenceSession,
        *,
        max_length: int,
        vocabulary_size: int,
    ) -> None:
        self.max_length = max_length
        self.vocabulary_size = vocabulary_size
        self._memory, self._step = memory, step
        self._kept = [output.name for output in memory.get_outputs()]
        self._state = [name for name in ("hidden", "cell") if name in self._kept]
        self._attends = any(output.name == "attention" for output in step.get_outputs())

    def begin(self, features: np.ndarray) -> Beginning:
        """Read photos, float32 `(B, R, D)` or `(B, D)`, once for all their captions."""
        found = self._memory.run(self._kept, {"features": np.asarray(features, np.float32)})
        memory = dict(zip(self._kept, found, strict=True))
        return Beginning(memory, [memory.pop(part) for part in self._state])

    def step(
        self, memory: Any, state: Any, rows: np.ndarray, tokens: np.ndarray, *, top: int | None
    ) -> Step:
        """Read one more word of each caption; see `captioning.decoding.StepModel`."""
        likeliest, attends = top is not None, top is None and self._attends
        wanted = ["top_log_probs", "top_words"] if likeliest else ["log_probs"]
        found = self._step.run(
            [
                *(f"next_{name}" for name in self._state),
                *wanted,
                *(["attention"] if attends else []),
            ],
            {
                "rows": np.asarray(rows, np.int64),
                "tokens": np.asarray(tokens, np.int64),
                "top": np.array([top or 1], np.int64),
                **dict(zip(self._state, state, strict=True)),
                **memory,
            },
        )
        parts = len(self._state)
        log_probs, *rest = found[parts:]
        return Step(
            log_probs=log_probs,
            words=rest[0] if likeliest else None,
            state=found[:parts],
            attention=rest[0] if attends else None,
        )


class OnnxEncoder(PhotoEncoder):
    """An encoder that runs its graph.

    Args:
        config: with name, layer and input size filled in.
        session: from `pixels` uint8 `(B, S, S, 3)` to `features`.
    """

    def __init__(self, config: EncoderConfig, session: InferenceSession) -> None:
        super().__init__(config, tuple(session.get_outputs()[0].shape[1:]))
        self._session = session

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Compute features, float32 `(B, R, D)` or `(B, D)`, of uint8 pixels `(B, S, S, 3)`."""
        found = [
            self._session.run(["features"], {"pixels": pixels[start : start + AT_ONCE]})[0]
            for start in range(0, len(pixels), AT_ONCE)
        ]
        return np.concatenate(found) if found else np.zeros((0, *self.feature_shape), np.float32)


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
