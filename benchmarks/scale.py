"""The rate of captions by Ray over that of the one-machine command, on all cores of this machine.

    python benchmarks/scale.py [--photos N] [--rate FOLDER] [--model NAME]

The command is started once for each core, as docs/library.md advises; Ray starts a worker for each.
The time until all of them are at work is left out on both sides.  Photos are the samples that come
with the app, linked N times, or those of a folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.library import linked  # noqa: E402
from captioning.batch import photo_names  # noqa: E402
from captioning.batch.cluster import CaptionJob, ClusterRun  # noqa: E402
from captioning.bundle import default_model, read_bundle  # noqa: E402

SAMPLES = ROOT / "assets" / "photos"
SHARD_SIZE = 40
AT_LEAST = 0.9


def main() -> None:
    """Measure both and print their rates and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=800, metavar="N")
    parser.add_argument("--rate", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default=default_model())
    options = parser.parse_args()
    folder, cores = options.rate or SAMPLES, len(os.sched_getaffinity(0))
    photos = [folder / name for name in photo_names(folder)]
    photos = (photos * options.photos)[: options.photos]
    with tempfile.TemporaryDirectory() as place:
        os.environ["CAPTIONING_DATA"] = str(Path(place) / "data")
        few = linked(Path(place) / "few", photos[: 8 * cores])
        many = linked(Path(place) / "many", photos)
        _commands(linked(Path(place) / "one", photos[:1]), options.model, 1)  # the graphs
        started = _commands(few, options.model, cores)
        seconds = _commands(many, options.model, cores) - started
        command = (len(photos) - 8 * cores) / seconds / cores
        print(f"command: {command:.2f} photos a second and core", flush=True)
        by_ray = _by_ray(many, Path(place) / "captions", options.model, cores)
        print(f"Ray:     {by_ray:.2f} photos a second and core")
    verdict = "met" if by_ray >= AT_LEAST * command else "MISSED"
    print(f"ratio:   {by_ray / command:.2f} (at least {AT_LEAST}: {verdict})")
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}")


def _commands(folder: Path, model: str, count: int) -> float:
    """Start the command several times on one folder; returns seconds until all have ended."""
    command = [sys.executable, "-m", "captioning", "caption", str(folder), "--model", model]
    begun = time.perf_counter()
    processes = [
        subprocess.Popen([*command, "--write", "csv"], cwd=ROOT, stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    if any(process.wait() for process in processes):
        raise SystemExit("The command failed.")
    return time.perf_counter() - begun


def _by_ray(folder: Path, out: Path, model: str, cores: int) -> float:
    """Return photos per second and core, from when each worker has finished a shard."""
    bundle = read_bundle(model)
    job = CaptionJob(model, bundle.version, bundle.decoding)
    run = ClusterRun(job, str(folder), str(out), shard_size=SHARD_SIZE)
    done: list[tuple[float, int]] = []
    for shard in run.shards(workers=cores):
        if shard.error:
            raise SystemExit(shard.error)
        done.append((time.perf_counter(), shard.photos))
    (begun, _), (ended, _) = done[cores - 1], done[-1]
    return sum(photos for _, photos in done[cores:]) / (ended - begun) / cores


if __name__ == "__main__":
    main()
