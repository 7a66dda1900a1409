"""From an uploaded file and its options to a caption; requests that meet are captioned together."""

import asyncio
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.datastructures import UploadFile

from captioning.bundle import Bundle, default_model, find_bundles, read_bundle
from captioning.calibration.picture_kind import Kind, kind_of
from captioning.config import DecodingConfig
from captioning.errors import BundleError, ConfigError
from captioning.images import read_image

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.captioner import Captioner

Load = Callable[[Bundle], "Captioner"]

_LOADING = threading.Lock()


@dataclass(frozen=True)
class Answer:
    """A caption and the model that wrote it."""

    caption: "Caption"
    bundle: Bundle

    def predictions(self) -> list[dict[str, Any]]:
        """Return the sentences in the form of IBM's Model Asset Exchange, the best first."""
        best = self.caption
        found = [(best.text, best.log_prob)]
        found += [(other.caption, other.log_prob) for other in best.alternatives]
        return [
            {"index": str(place), "caption": text, "probability": float(np.exp(log_prob))}
            for place, (text, log_prob) in enumerate(found)
        ]

    def to_dict(self, alternatives: int | None = None) -> dict[str, Any]:
        """Return everything that is known about the caption, as plain data.

        Args:
            alternatives: how many other sentences to list; None lists all.
        """
        content = self.caption.to_dict()
        for listed in (*content["words"], *content["alternatives"]):
            listed["probability"] = float(np.exp(listed["log_prob"]))
        return {
            **content,
            "sentence": self.caption.sentence,
            "doubtful": self.caption.doubtful,
            "alternatives": content["alternatives"][:alternatives],
            "model": {"name": self.bundle.name, "version": self.bundle.version},
        }


class CaptionService:
    """Captions uploaded photos.

    Args:
        load: returns the model of a bundle, ready to write.
        model: name or folder of the bundle that captions when a request names none; by default
            that of `default_model()`.
        batch_size: the most photos that are captioned together.

    Raises:
        BundleError: there is no such model.
    """

    def __init__(self, load: Load, *, model: str | None = None, batch_size: int = 16) -> None:
        self._load = load
        self._own = None if model is None else read_bundle(model)
        self._batcher = Batcher(batch_size)
        # Decoding a photo keeps one core busy, so more threads than cores would only take memory.
        self._readers = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="api-photo")

    def bundle(self, name: str | None = None) -> Bundle:
        """Find a model by its name; a request cannot name a folder.

        Raises:
            ConfigError: no model has that name.
            BundleError: there is no model at all.
        """
        default, bundles = self.models()
        found = next((bundle for bundle in bundles if bundle.name == (name or default)), None)
        if found is None:
            known = ", ".join(bundle.name for bundle in bundles)
            raise ConfigError(f"There is no model {name!r}. Known: {known}.")
        return found

    def models(self) -> tuple[str, list[Bundle]]:
        """Return the name of the default model, and all models.

        Raises:
            BundleError: there is no model at all.
        """
        if self._own is None:
            return default_model(), find_bundles()
        others = [bundle for bundle in find_bundles() if bundle.name != self._own.name]
        return self._own.name, [self._own, *others]

    async def caption(
        self,
        photo: UploadFile,
        *,
        model: str | None = None,
        changes: dict[str, Any] | None = None,
    ) -> Answer:
        """Write a sentence about a photo, together with those of other requests.

        Args:
            photo: an open file.
            model: a bundle's name.
            changes: settings of `DecodingConfig` that differ from the bundle's.

        Raises:
            ImageError: the photo cannot be read.
            ConfigError: an option has a wrong value.
            BundleError: the model cannot be loaded.
            WeightsError: its encoder's weights are missing.
        """
        bundle = self.bundle(model)
        decoding = bundle.decoding.replace(**changes or {})
        reading = self._readers.submit(self._prepare, bundle, photo)
        captioner, pixels, kind = await asyncio.wrap_future(reading)
        written = self._batcher.submit(captioner, pixels, decoding)
        caption = await asyncio.wrap_future(written)
        return Answer(replace(caption, kind=kind), bundle)

    def _prepare(
        self, bundle: Bundle, photo: UploadFile
    ) -> "tuple[Captioner, np.ndarray, Kind | None]":
        """Load the model, and read the photo as its encoder takes it."""
        picture = read_image(photo.file, name=photo.filename)
        captioner = self._load(bundle)
        kind = kind_of(picture) if bundle.learned_from_photos else None
        return captioner, captioner.encoder.pixels(picture), kind


def load_once(bundle: Bundle) -> "Captioner":
    """Load a model, or return the one that was loaded of the same files before.

    Raises:
        BundleError: it is damaged.
        WeightsError: its encoder's weights are missing.
    """
    try:
        changed = os.stat(bundle.folder / "config.json").st_mtime_ns
    except OSError as error:
        raise BundleError(f"The model {bundle.name} was removed.") from error
    with _LOADING:  # many requests may come before the first model is there
        return _loaded(str(bundle.folder), changed)


@lru_cache(maxsize=4)
def _loaded(folder: str, changed: int) -> "Captioner":
    from captioning.captioner import Captioner

    return Captioner.load(folder)


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
