"""`--engine ray`: captions or features of a folder or bucket, computed on a cluster."""

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from captioning.cli.terminal import clock, progress_line
from captioning.errors import ConfigError

if TYPE_CHECKING:
    from captioning.batch.cluster import CaptionJob, FeatureJob
    from captioning.config import DecodingConfig

_SHARD_SIZES = {"captions": 2000, "features": 400}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `--engine`."""
    group = parser.add_argument_group(
        "many machines",
        "Folders may be addresses such as s3://bucket/photos. Finished files are left out, so the "
        "command may be stopped and run again. See docs/scale.md.",
    )
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: spread the photos of a folder over the cluster in $RAY_ADDRESS, or over the "
        "cores of this machine, and write Parquet files to the folder --out",
    )
    group.add_argument("--workers", type=int, metavar="N", help="by default one for each core")
    group.add_argument("--shard-size", type=int, metavar="N", help="photos in a Parquet file")


def check_options(arguments: argparse.Namespace, sources: list[str]) -> None:
    """End with a message if the options of `--engine` do not fit together."""
    error = arguments.parser.error
    if arguments.engine == "local":
        if arguments.workers is not None or arguments.shard_size is not None:
            error("--workers and --shard-size need --engine ray")
    elif len(sources) != 1 or not arguments.out:
        error("--engine ray takes one folder or address, and --out")
    elif (
        min(arguments.workers or 1, 1 if arguments.shard_size is None else arguments.shard_size) < 1
    ):
        error("--workers and --shard-size take numbers above 0")


def caption(arguments: argparse.Namespace, decoding: "DecodingConfig") -> int:
    """Caption the photos of a folder or bucket; returns the exit status."""
    _check_packages()
    from captioning.batch.cluster import CaptionJob
    from captioning.bundle import default_model, read_bundle

    model = _named(arguments.model or default_model())
    job = CaptionJob(model, read_bundle(model).version, decoding)
    return _run(job, arguments, arguments.photos[0], "captions")


def encode(arguments: argparse.Namespace) -> int:
    """Encode the photos of a folder or bucket; returns the exit status."""
    _check_packages()
    from captioning.batch.cluster import FeatureJob
    from captioning.bundle import read_bundle
    from captioning.config import EncoderConfig
    from captioning.encoders import resolve

    if arguments.model:
        bundle = read_bundle(arguments.model)
        job = FeatureJob(bundle.encoder, _named(arguments.model), bundle.version)
    else:
        config = EncoderConfig(name=arguments.encoder, layer=arguments.layer, photo_size=0)
        job = FeatureJob(resolve(config)[0])
    return _run(job, arguments, arguments.source, "features")


def _run(
    job: "CaptionJob | FeatureJob", arguments: argparse.Namespace, source: str, what: str
) -> int:
    from captioning.batch.cluster import ClusterRun

    size = arguments.shard_size or _SHARD_SIZES[what]
    run = ClusterRun(job, source, arguments.out, shard_size=size)
    begun, done, failed, unfinished = time.monotonic(), 0, 0, []
    progress_line(f"{run.done:,} of {run.photos:,} photos are done; starting the workers")
    for shard in run.shards(arguments.workers):
        done, failed = done + shard.photos, failed + shard.failed
        if shard.error:
            unfinished.append(shard)
            print(f"{shard.name} is unfinished: {shard.error}", file=sys.stderr)
        rate = max(done / (time.monotonic() - begun), 1e-9)
        left = clock((run.photos - run.done - done) / rate)
        progress_line(f"{run.done + done:,}/{run.photos:,} photos, {rate:.1f}/s, {left} left")
    summary = f"{run.done + done:,} of {run.photos:,} photos are done, {run.done:,} of them before"
    progress_line(f"{summary}; {failed:,} could not be read; {what} in {arguments.out}", done=True)
    if unfinished:
        print("Run the same command again to do the rest.", file=sys.stderr)
    return int(bool(failed or unfinished))


def _named(model: str) -> str:
    """Return a name as it is and a folder as an absolute path, for processes elsewhere."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _check_packages() -> None:
    if find_spec("ray") is None:
        raise ConfigError("--engine ray needs Ray. Install it: pip install 'captioning[ray]'")
