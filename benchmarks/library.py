"""Measure captioning a whole library: rate, time to resume, memory.

    python benchmarks/library.py [--photos N] [--rate FOLDER] [--model NAME] [--only PART]

`resume`: the command on N photos (100,000 by default; links to one photo) with a finished log, and
with a half-finished log until the first new captions.  `memory`: N photos captioned in one process
by a stand-in for the model, with the memory after each tenth.  `rate`: the command on the photos
of a folder (by default the samples of the app, linked 200 times), minus its time on a single photo.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from captioning.batch import Row, photo_names  # noqa: E402
from captioning.batch.library import LibraryLog, caption_library, form_of, log_folder  # noqa: E402
from captioning.bundle import default_model  # noqa: E402
from captioning.caption import Caption  # noqa: E402
from captioning.captioner import Captioner  # noqa: E402
from captioning.config import DecodingConfig  # noqa: E402

SAMPLES = ROOT / "assets" / "photos"
PARTS = ("resume", "memory", "rate")


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000, metavar="N")
    parser.add_argument("--rate", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default=default_model())
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    parts = [options.only] if options.only else PARTS
    with tempfile.TemporaryDirectory() as place:
        os.environ["CAPTIONING_DATA"] = str(Path(place) / "data")
        _command(linked(Path(place) / "one", [SAMPLES / "dogs.jpg"]), options.model)  # the graphs
        if "resume" in parts:
            _resume(Path(place), options.photos, options.model)
        if "memory" in parts:
            _memory(Path(place), options.photos)
        if "rate" in parts:
            folder = options.rate or SAMPLES
            found = [folder / name for name in photo_names(folder)]
            _rate(Path(place), found if options.rate else (found * 200)[:200], options.model)


def _resume(place: Path, count: int, model: str) -> None:
    folder = linked(place / "resume", [SAMPLES / "dogs.jpg"] * count)
    names = photo_names(folder)
    for share in (1.0, 0.5):
        log_file = log_folder(folder, "sidecar") / "log.jsonl"
        log_file.unlink(missing_ok=True)
        _finish(folder, names[: int(share * count)], model)
        if share == 1:
            wall, cpu, memory = _command(folder, model)
            told = "the command finds nothing to do and ends"
        else:
            wall, cpu, memory = _until_first(folder, model)
            told = "until the first new captions"
        print(
            f"resume, {share:.0%} of {count:,} photos done: {wall:.2f} s, {cpu:.2f} CPU seconds, "
            f"{memory:.0f} MB; {told}; the log has {log_file.stat().st_size / 1e6:.1f} MB"
        )


def _finish(folder: Path, names: list[str], model: str) -> None:
    """Write the log of photos that were captioned."""
    log = LibraryLog(log_folder(folder, "sidecar"), lambda result, row: True)
    with log.working({}):
        for start in range(0, len(names), 8):
            some = names[start : start + 8]
            log.claim(iter(some), 8)
            log.finish([(Row(name), "written") for name in some], model)


def _memory(place: Path, count: int) -> None:
    folder = linked(place / "memory", [SAMPLES / "dogs.jpg"] * count, small=True)
    names = photo_names(folder)
    log = LibraryLog(log_folder(folder, "sidecar"), lambda result, row: True)
    form = form_of("sidecar", (folder / name for name in names), log.wrote)
    process, begun = psutil.Process(), time.process_time()
    with log.working({}):
        outcomes = caption_library(cast(Captioner, _StandIn()), folder, names, form, log)
        for number, _ in enumerate(outcomes, 1):
            if number % (count // 10) == 0:
                used = process.memory_info().rss / 1e6
                print(f"memory after {number:,} photos: {used:.0f} MB", flush=True)
    print(f"without the model: {(time.process_time() - begun) / count * 1000:.2f} CPU ms a photo")


def _rate(place: Path, photos: list[Path], model: str) -> None:
    one = _command(linked(place / "first", photos[:1]), model)
    all_ = _command(linked(place / "rate", photos), model)
    wall, cpu = (all_[i] - one[i] for i in (0, 1))
    count = len(photos) - 1
    print(
        f"rate: {count / cpu:.2f} photos a CPU second, {count / wall:.2f} a second, on {count} "
        f"photos; starting takes {one[0]:.2f} s, {one[1]:.2f} CPU seconds; {all_[2]:.0f} MB"
    )


def linked(folder: Path, photos: list[Path], *, small: bool = False) -> Path:
    """Make a folder of links to photos, 1,000 in each folder inside it."""
    if small:
        from PIL import Image

        folder.mkdir()
        Image.new("RGB", (64, 48), (200, 90, 30)).save(folder / ".small.jpg")
        photos = [folder / ".small.jpg"] * len(photos)
    for number, photo in enumerate(photos):
        inside = folder / f"{number // 1000:03}"
        if number % 1000 == 0:
            inside.mkdir(parents=True)
        (inside / f"{number:06}{photo.suffix}").symlink_to(photo.resolve())
    return folder


def _arguments(folder: Path, model: str) -> list[str]:
    command = [sys.executable, "-m", "captioning", "caption", str(folder), "--write", "sidecar"]
    return [*command, "--model", model]


def _command(folder: Path, model: str) -> tuple[float, float, float]:
    """Run the command; returns wall seconds, CPU seconds and the most memory in MB."""
    begun = time.perf_counter()
    process = subprocess.Popen(_arguments(folder, model), cwd=ROOT, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"The command failed with status {status}.")
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def _until_first(folder: Path, model: str) -> tuple[float, float, float]:
    """Run the command until it has written its first results."""
    log = log_folder(folder, "sidecar") / "log.jsonl"
    size, begun = log.stat().st_size, time.perf_counter()
    process = subprocess.Popen(_arguments(folder, model), cwd=ROOT, stderr=subprocess.DEVNULL)
    while b'{"done"' not in _from(log, size):
        time.sleep(0.01)
    wall = time.perf_counter() - begun
    process.kill()
    _, _, used = os.wait4(process.pid, 0)
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def _from(path: Path, place: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read()


class _StandIn:
    """The methods of a captioner that are called, without a network."""

    name = "stand-in"
    calibration = object()
    bundle = SimpleNamespace(learned_from_photos=False, version="")
    encoder = SimpleNamespace(pixels=np.asarray)

    def encode_squares(self, pixels: np.ndarray) -> np.ndarray:
        return pixels

    def describe(self, features: np.ndarray, decoding: DecodingConfig | None) -> list[Any]:
        told = "a dog runs over the grass with a ball"
        caption = Caption(told, -9.0, (), (), self.name, 0.0, DecodingConfig(), 0.5, True, "sure")
        return [caption] * len(features)


if __name__ == "__main__":
    main()
