"""Requests that arrive together are encoded and decoded together."""

import threading
import time
from collections import defaultdict
from collections.abc import Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from captioning.config import DecodingConfig

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.captioner import Captioner


@dataclass(frozen=True, eq=False)
class _Job:
    captioner: "Captioner"
    pixels: np.ndarray
    decoding: DecodingConfig
    caption: "Future[Caption]" = field(default_factory=Future)
    begun: float = field(default_factory=time.perf_counter)


class Batcher:
    """A thread that takes whatever waits, up to a number of photos, and captions it at once.

    Nobody waits for a batch to fill: while one is at work, the next requests gather.

    Args:
        size: the most photos in a batch; 1 captions one by one.
    """

    def __init__(self, size: int = 16) -> None:
        self._size = size
        self._waiting: SimpleQueue[_Job] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(
        self, captioner: "Captioner", pixels: np.ndarray, decoding: DecodingConfig
    ) -> "Future[Caption]":
        """Queue a photo and return at once.

        Args:
            captioner: the model.
            pixels: the photo as the encoder takes it, uint8 `(S, S, 3)`.
            decoding: how to choose the sentence.

        Returns:
            The caption to come.  Its `seconds` include the wait; its exception is a ConfigError if
            `decoding` asks for a word the model does not know, or for too many.
        """
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="api", daemon=True)
                self._thread.start()
        job = _Job(captioner, pixels, decoding)
        self._waiting.put(job)
        return job.caption

    def _work(self) -> None:
        while True:
            jobs = [self._waiting.get()]
            while len(jobs) < self._size:
                try:
                    jobs.append(self._waiting.get_nowait())
                except Empty:
                    break
            wanted = [job for job in jobs if job.caption.set_running_or_notify_cancel()]
            for some in _grouped(wanted, [id(job.captioner) for job in wanted]):
                _caption(some)


def _caption(jobs: list[_Job]) -> None:
    """Encode the photos of one model, then write the sentences of each way to choose them."""
    captioner = jobs[0].captioner
    try:
        features = captioner.encode_squares(np.stack([job.pixels for job in jobs]))
    except Exception as error:  # whatever it is, the requests must get an answer
        _fail(jobs, error)
        return
    rows = {id(job): row for row, job in enumerate(jobs)}
    for some in _grouped(jobs, [job.decoding for job in jobs]):
        try:
            written = captioner.describe(
                features[[rows[id(job)] for job in some]], some[0].decoding
            )
        except Exception as error:
            _fail(some, error)
            continue
        for job, caption in zip(some, written, strict=True):
            seconds = time.perf_counter() - job.begun
            job.caption.set_result(replace(caption, seconds=seconds))


def _fail(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        job.caption.set_exception(error)


def _grouped(jobs: list[_Job], keys: Iterable[Hashable]) -> list[list[_Job]]:
    groups: dict[Hashable, list[_Job]] = defaultdict(list)
    for job, key in zip(jobs, keys, strict=True):
        groups[key].append(job)
    return list(groups.values())
