"""Feed damaged files to everything that reads files from outside, for as long as asked.

    python tests/fuzz/readers.py --seconds 7200

Each reader gets valid files of its kind with some bytes changed, left out, repeated or added.  It
has to return, or raise an error of `captioning.errors`: whatever else it raises is printed with the
file that caused it, kept under `tests/fuzz/found/`, and ends the run with status 1.  `make fuzz`
runs it; the tests take a few examples of each reader.
"""

import argparse
import io
import json
import pickle
import random
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from captioning.batch import open_album  # noqa: E402 - the folder has to be known first
from captioning.bundle import read_bundle  # noqa: E402
from captioning.config import read_training_config  # noqa: E402
from captioning.datasets import load  # noqa: E402
from captioning.errors import CaptioningError  # noqa: E402
from captioning.image_metadata import read_caption, write_caption  # noqa: E402
from captioning.images import read_image  # noqa: E402
from captioning.runs import Run, read_curves  # noqa: E402
from captioning.tutorial_files import array_reader  # noqa: E402

FOUND = Path(__file__).with_name("found")
MOST_CHANGES = 8
TOO_LONG_SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        seeds: valid files.
        read: reads a file whose bytes are these; may use the folder.
    """

    seeds: tuple[bytes, ...]
    read: Callable[[bytes, Path], object]


def photo(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    pixels = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def read_zip(data: bytes, folder: Path) -> None:
    for member in open_album(io.BytesIO(data)):
        member.read()


def read_caption_file(data: bytes, folder: Path) -> None:
    (folder / "Images").mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / "Images" / name).write_bytes(photo("JPEG"))
    (folder / "captions.txt").write_bytes(data)
    load(folder)


def read_coco(data: bytes, folder: Path) -> None:
    for name in ("train2017", "annotations"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "train2017" / "000000000001.jpg").write_bytes(photo("JPEG"))
    (folder / "annotations" / "captions_train2017.json").write_bytes(data)
    load(folder)


def read_model(data: bytes, folder: Path) -> None:
    (folder / "vocabulary.json").write_bytes((MODEL / "vocabulary.json").read_bytes())
    (folder / "decoder.safetensors").write_bytes(b"")
    (folder / "config.json").write_bytes(data)
    read_bundle(folder)


def read_settings(data: bytes, folder: Path) -> None:
    (folder / "config.json").write_bytes(data)
    read_training_config(folder / "config.json")


def read_run(data: bytes, folder: Path) -> None:
    for name in ("config.json", "status.json", "events.jsonl", "origin.json", "log.txt"):
        (folder / name).write_bytes(data)
    run = Run.read(folder)
    read_curves(run)
    run.log(), run.origin, run.config


def read_arrays(data: bytes, folder: Path) -> None:
    (folder / "features.p").write_bytes(data)
    array_reader.main(str(folder / "features.p"), str(folder / "arrays"), 1_000_000)


MODEL = ROOT / "models" / "shapes"
JPEG, PNG = photo("JPEG"), photo("PNG")
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "000000000001.jpg"}],
        "annotations": [{"id": 2, "image_id": 1, "caption": "a dog runs"}],
    }
).encode()
EVENT = b'{"event": "step", "epoch": 1, "step": 2, "steps": 3, "loss": 0.5, "rate": 1.0}\n'
TARGETS = {
    "image": Target(
        (JPEG, photo("JPEG", progressive=True), PNG, photo("GIF"), photo("WEBP"), photo("TIFF")),
        lambda data, folder: read_image(data),
    ),
    "metadata": Target(
        tuple(write_caption(data, "a dog runs").data for data in (JPEG, PNG, photo("WEBP"))),
        lambda data, folder: read_caption(data),
    ),
    "zip": Target((zip_of(a_jpg=JPEG, b_png=PNG),), read_zip),
    "captions": Target(
        (
            b"image,caption\na.jpg,a dog\nb.jpg,a cat\n",
            "a.jpg#0\tein großer Hund\nb.jpg#0\ta cat\n".encode("utf-16"),
            b'image\tcaption\na.jpg\t"a ""big"" dog"\n',
        ),
        read_caption_file,
    ),
    "coco": Target((COCO,), read_coco),
    "bundle": Target(((MODEL / "config.json").read_bytes(),), read_model),
    "settings": Target(
        tuple(path.read_bytes() for path in sorted((ROOT / "configs").glob("*.json"))),
        read_settings,
    ),
    "run": Target(
        (b'{"name": "try", "data": "shapes"}', b'{"state": "running", "epoch": 1}', EVENT * 3),
        read_run,
    ),
    "pickle": Target(
        tuple(
            pickle.dumps({"a.jpg": np.zeros((1, 4), np.float32)}, protocol=protocol)
            for protocol in (2, 3, 4, 5)
        ),
        read_arrays,
    ),
}


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Return a file with a few of its bytes changed, left out, repeated or added."""
    content = bytearray(data)
    for _ in range(draw.randint(1, MOST_CHANGES)):
        place = draw.randrange(len(content) + 1)
        length = draw.choice((1, 1, 2, 4, 16, 64))
        match draw.randrange(5):
            case 0:
                content[place : place + length] = draw.randbytes(length)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length] * draw.choice((1, 2, 50))
            case 3:
                content[place : place + 1] = bytes([draw.choice((0, 1, 127, 128, 255))])
            case 4:
                odd = (b'"', b"[" * 2000, b"9" * 400, b"-", b"\n")
                content[place : place + 1] = draw.choice(odd)
    return bytes(content)


def try_one(name: str, seed: int) -> tuple[bytes, str]:
    """Let a reader read one damaged file; return the file, and what went wrong if anything did."""
    draw = random.Random(seed)
    target = TARGETS[name]
    data = damaged(draw.choice(target.seeds), draw)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            target.read(data, Path(folder))
        except CaptioningError:
            pass
        except BaseException:
            return data, traceback.format_exc()
    seconds = time.monotonic() - begun
    return data, f"It took {seconds:.0f} s." if seconds > TOO_LONG_SECONDS else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=sorted(TARGETS))
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else sorted(TARGETS)
    deadline = time.monotonic() + arguments.seconds
    seed, failures = arguments.seed, 0
    while time.monotonic() < deadline:
        for name in names:
            data, fault = try_one(name, seed)
            if fault:
                failures += 1
                FOUND.mkdir(exist_ok=True)
                (FOUND / f"{name}-{seed}").write_bytes(data)
                print(f"{name}, seed {seed}:\n{fault}", flush=True)
        seed += 1
    print(f"{seed - arguments.seed} files for each of {', '.join(names)}; {failures} faults.")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
