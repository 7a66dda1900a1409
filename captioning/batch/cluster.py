"""Captions or features of any number of photos by Ray: a Parquet file for each shard of photos.

The photos are listed once. `_photos/` in the output folder holds the names in each shard and
`_job.json` the settings; `000000.parquet` and so on are the finished shards, which later runs skip.
"""

import io
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from pyarrow import parquet

from captioning.batch.bucket import Bucket
from captioning.batch.captioning import BATCH, caption_batches
from captioning.batch.sources import Album, AlbumPhoto
from captioning.bundle import Bundle, read_bundle
from captioning.captioner import Captioner
from captioning.config import DecodingConfig, EncoderConfig
from captioning.encoders import PhotoEncoder
from captioning.errors import BundleError, CaptioningError, ImageError, StorageError
from captioning.images import MAX_BYTES, read_image
from captioning.inference.loading import open_encoder
from captioning.networks import encoder_of
from captioning.plugins import load_plugins
from captioning.prefetch import ahead

Work = Callable[[Iterator[Album]], pa.Table]
"""Computes captions or features of batches of photos, as a table."""

_READERS = 16
"""Photos that a worker fetches at a time: an object store takes long to answer, not to send."""
_RETRIES = 3
"""How often a shard is tried again when its worker dies."""
_MOST_BLOCKS = 10_000

_CAPTIONS = pa.schema(
    [(name, pa.string()) for name in ("photo", "caption", "by", "error", "level", "kind")]
    + [(name, pa.float64()) for name in ("log_prob", "confidence", "seconds")]
    + [("familiar", pa.bool_())]
)


@dataclass(frozen=True)
class CaptionJob:
    """A table of `captioning.batch.Row`.

    Attributes:
        model: name or folder of a bundle that is on every machine.
        version: its `Bundle.version`.
        decoding: how to search.
    """

    model: str
    version: str
    decoding: DecodingConfig

    def to_dict(self) -> dict[str, Any]:
        """Return what the captions depend on."""
        return {"captions": self.version, "decoding": self.decoding.to_dict()}

    def open(self) -> Work:
        """Load the model and return a function from batches to a table.

        Raises:
            BundleError: the model is missing here, or has other weights.
        """
        captioner = Captioner.load(_bundle(self.model, self.version).folder)

        def work(batches: Iterator[Album]) -> pa.Table:
            rows = caption_batches(captioner, batches, self.decoding)
            return pa.Table.from_pylist([asdict(r) for some in rows for r in some], _CAPTIONS)

        return work


@dataclass(frozen=True)
class FeatureJob:
    """A table of `photo`, `features` (float16, flat; `shape` is in the metadata) and `error`.

    Attributes:
        encoder: the settings.
        model: name or folder of the bundle whose encoder it is; empty for ImageNet weights.
        version: its `Bundle.version`, or empty.
    """

    encoder: EncoderConfig
    model: str = ""
    version: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what the features depend on."""
        return {"features": self.encoder.to_dict(), "model": self.version}

    def open(self) -> Work:
        """Load the encoder and return a function from batches to a table.

        Raises:
            BundleError: the model is missing here, or has other weights.
            WeightsError: the ImageNet weights cannot be found or downloaded.
        """
        if self.model:
            return partial(_features, encoder_of(_bundle(self.model, self.version)))
        return partial(_features, open_encoder(self.encoder))


def _bundle(model: str, version: str) -> Bundle:
    bundle = read_bundle(model)
    if bundle.version != version:
        raise BundleError(f"The model '{model}' has other weights on the worker's machine.")
    return bundle


def _features(encoder: PhotoEncoder, batches: Iterator[Album]) -> pa.Table:
    def read(batch: Album) -> list[tuple[str, np.ndarray | str]]:
        return [(photo.name, _pixels(encoder, photo)) for photo in batch]

    size = int(np.prod(encoder.feature_shape))
    names, errors, rows = list[str](), list[str](), list[np.ndarray]()
    for pictures in ahead(read, batches):
        good = [pixels for _, pixels in pictures if not isinstance(pixels, str)]
        encoded = iter(encoder.encode(np.stack(good)).astype(np.float16) if good else ())
        for name, pixels in pictures:
            failed = isinstance(pixels, str)
            names.append(name)
            errors.append(pixels if isinstance(pixels, str) else "")
            rows.append(np.zeros(size, np.float16) if failed else next(encoded).ravel())
    mask = pa.array([bool(error) for error in errors])
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(rows)), size, mask=mask)
    table = pa.table({"photo": names, "features": values, "error": errors})
    about = {"shape": encoder.feature_shape, "encoder": encoder.config.to_dict()}
    return table.replace_schema_metadata({name: json.dumps(v) for name, v in about.items()})


def _pixels(encoder: PhotoEncoder, photo: AlbumPhoto) -> np.ndarray | str:
    try:
        return encoder.pixels(read_image(photo.read(), name=photo.name))
    except ImageError as error:
        return str(error)
    except OSError:  # whoever reads the photos keeps the reason
        return "It cannot be read."


@dataclass(frozen=True)
class Shard:
    """What became of a shard.

    Attributes:
        name: of its Parquet file, without the ending.
        photos: number of rows; 0 if it is unfinished.
        failed: number of rows with an error.
        error: why it is unfinished; else empty.
    """

    name: str
    photos: int = 0
    failed: int = 0
    error: str = ""


class ClusterRun:
    """One run over the photos of a folder.

    Attributes:
        photos: number of photos.
        done: number of those in finished shards.
        left: names of the other shards.
    """

    def __init__(
        self, job: CaptionJob | FeatureJob, source: str, out: str, *, shard_size: int
    ) -> None:
        """List the photos, unless a run before has.

        Args:
            job: what to compute.
            source: path or address of the folder of photos.
            out: path or address of the folder for the results.
            shard_size: photos per Parquet file, rounded up to whole batches.

        Raises:
            ImageError: there is no such folder, or no photo in it.
            StorageError: `out` has results of other photos or settings, or cannot be written.
        """
        self._job, self._source, self._out = job, Bucket(source), Bucket(out)
        listed = self._listed() or self._list(-(-shard_size // BATCH) * BATCH)
        self.photos: int = listed["photos"]
        names = [f"{number:06}" for number in range(listed["shards"])]
        finished = self._out.names(".parquet")
        self.left = [name for name in names if name not in finished]
        sizes = dict.fromkeys(names, listed["shard_size"])
        sizes[names[-1]] -= len(names) * listed["shard_size"] - self.photos
        self.done = self.photos - sum(sizes[name] for name in self.left)

    def shards(self, workers: int | None = None) -> Iterator[Shard]:
        """Compute the shards that are left, and yield each as it is done.

        They are spread over the cluster in `$RAY_ADDRESS`, or over the cores of this machine.

        Args:
            workers: processes with a core and a model each; by default one for each core.
        """
        if not self.left:
            return
        _connect()
        workers = min(workers or int(ray.cluster_resources()["CPU"]), len(self.left))
        blocks = min(len(self.left), _MOST_BLOCKS)
        rows = ray.data.from_items(self.left, override_num_blocks=blocks).map_batches(
            Worker,
            fn_constructor_args=(self._job, self._source.address, self._out.address),
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            # Goes in Ray 2.64; without it a photo that ends its worker is tried for ever.
            ray_remote_args_fn=lambda: {"max_task_retries": _RETRIES},
        )
        missing = set(self.left)
        for row in rows.iter_rows():
            missing.discard(row["name"])
            yield Shard(**row)
        for name in sorted(missing):
            yield Shard(name, error=f"its worker died {_RETRIES + 1} times")

    def _listed(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._out.read_json("_job.json")
        for name, value in self._settings().items():
            if found is not None and found.get(name) != value:
                raise StorageError(
                    f"{self._out.address} has results for other photos or settings ({name}: "
                    f"{found.get(name)}). Name another folder for the results."
                )
        return found

    def _list(self, shard_size: int) -> dict[str, Any]:
        names, count, shards = self._source.photos(), 0, 0
        while some := list(islice(names, shard_size)):
            self._out.write_json(f"_photos/{shards:06}.json", some)
            count, shards = count + len(some), shards + 1
        if not count:
            raise ImageError(f"There are no photos in '{self._source.address}'.")
        sizes = {"photos": count, "shards": shards, "shard_size": shard_size}
        self._out.write_json("_job.json", {**self._settings(), **sizes})
        return sizes

    def _settings(self) -> dict[str, Any]:
        found = {"source": self._source.address, **self._job.to_dict()}
        return dict(json.loads(json.dumps(found)))  # tuples become lists, as in the file


def _connect() -> None:
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_errored_blocks = -1  # a shard that cannot be done does not stop the others


class Worker:
    """A process of Ray, with a model that is loaded once."""

    def __init__(self, job: CaptionJob | FeatureJob, source: str, out: str) -> None:
        self.job, self.source, self.out = job, Bucket(source), Bucket(out)

    @cached_property
    def work(self) -> Work:
        """The function from batches to a table."""
        load_plugins()
        return self.job.open()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Compute the shard named `item`; returns the fields of a `Shard`."""
        name = str(batch["item"][0])
        try:
            shard = self._compute(name)
        except (CaptioningError, OSError, ImportError) as error:
            shard = Shard(name, error=str(error))
        return {field: [value] for field, value in asdict(shard).items()}

    def _compute(self, name: str) -> Shard:
        names, faults = self.out.read_json(f"_photos/{name}.json"), list[OSError]()
        table = self.work(self._batches(names, faults))
        if faults:  # the store did not answer, but may do so later
            raise faults[0]
        file = io.BytesIO()
        parquet.write_table(table, file)
        self.out.write(f"{name}.parquet", file.getvalue())
        return Shard(name, len(names), sum(map(bool, table["error"].to_pylist())))

    def _batches(self, names: list[str], faults: list[OSError]) -> Iterator[Album]:
        """Yield batches of photos that are fetched ahead."""

        def read(name: str) -> bytes:
            try:
                return self.source.read(name, MAX_BYTES + 1)
            except FileNotFoundError as error:
                raise ImageError(f"The photo '{name}' does not exist any more.") from error
            except OSError as error:
                faults.append(error)
                raise

        waiting: deque[Album] = deque()
        with ThreadPoolExecutor(_READERS) as pool:
            for start in range(0, len(names), BATCH):
                some = names[start : start + BATCH]
                waiting.append([AlbumPhoto(n, pool.submit(read, n).result) for n in some])
                if len(waiting) * BATCH > _READERS:
                    yield waiting.popleft()
            yield from waiting
