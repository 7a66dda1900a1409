"""Feed damaged files to everything that reads files from outside, for as long as asked.

    python tests/fuzz/readers.py --seconds 7200

Each reader gets valid files of its kind with some bytes changed, left out, repeated or added.  It
has to return, or raise an error of `captioning.errors`: whatever else it raises is printed with the
file that caused it, kept under `tests/fuzz/found/`, and ends the run with status 1.  `make fuzz`
runs it; the tests take a few examples of each reader, and all files in `tests/fuzz/corpus/`, which
were found so and mended.
"""

import argparse
import asyncio
import io
import json
import pickle
import random
import signal
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
from safetensors.numpy import save
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from captioning.api.forms import open_form, options_of, photo_of  # noqa: E402 - needs the folder
from captioning.batch import open_album  # noqa: E402
from captioning.batch.exports import Journal  # noqa: E402
from captioning.batch.library.log import LibraryLog  # noqa: E402
from captioning.bundle import read_bundle  # noqa: E402
from captioning.bundle.files import read_arrays  # noqa: E402
from captioning.config import read_training_config  # noqa: E402
from captioning.datasets import load  # noqa: E402
from captioning.errors import CaptioningError  # noqa: E402
from captioning.image_metadata import read_caption, write_caption  # noqa: E402
from captioning.images import read_image  # noqa: E402
from captioning.play import Round  # noqa: E402
from captioning.runs import (  # noqa: E402
    Runs,
    alarms_of,
    compare_runs,
    epochs_csv,
    html_report,
    read_curves,
    tensorboard_events,
)
from captioning.tuning import Studies  # noqa: E402
from captioning.tutorial_files import array_reader, read_descriptions  # noqa: E402

FOUND, CORPUS = Path(__file__).with_name("found"), Path(__file__).with_name("corpus")
MOST_CHANGES = 8
TOO_LONG_SECONDS = 10.0
Reader = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        seeds: valid files.
        read: reads a file whose bytes are these; may use the folder.
    """

    seeds: tuple[bytes, ...]
    read: Reader


def in_folder(
    files: dict[str, bytes], read: Callable[[Path], object], place: str = "."
) -> dict[str, Target]:
    """Return a target for each file of a folder with content, which damages that file alone.

    Args:
        files: content by path.
        read: reads the folder `place`.
        place: the folder, below the one that the target gets.
    """

    def reader(name: str) -> Reader:
        def read_with(data: bytes, folder: Path) -> None:
            for path, content in {**files, name: data}.items():
                (folder / place / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / place / path).write_bytes(content)
            read(folder / place)

        return read_with

    return {name: Target((content,), reader(name)) for name, content in files.items() if content}


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


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read_metadata(data: bytes, folder: Path) -> None:
    read_caption(data)
    write_caption(data, "a cat sleeps")


def read_zip(data: bytes, folder: Path) -> None:
    for member in open_album(io.BytesIO(data)):
        member.read()


def captions_in(name: str, photos: str = "Images") -> Reader:
    """Return a reader of a folder of two photos and a file of captions."""

    def read(data: bytes, folder: Path) -> None:
        (folder / photos).mkdir(parents=True, exist_ok=True)
        for one in ("a.jpg", "b.jpg", "000000000001.jpg"):
            (folder / photos / one).write_bytes(JPEG)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        load(folder)

    return read


def read_with_path(name: str, read: Callable[[Path], object]) -> Reader:
    def reader(data: bytes, folder: Path) -> None:
        (folder / name).write_bytes(data)
        read(folder / name)

    return reader


def read_whole_bundle(folder: Path) -> None:
    bundle = read_bundle(folder)
    bundle.scores(), bundle.history(), bundle.calibration()


def read_runs(folder: Path) -> None:
    runs = Runs(folder.parents[1])
    runs.queue(), runs.damaged()
    for run in runs.all():
        curves = read_curves(run)
        compare_runs([run]), alarms_of(curves.epochs)
        html_report(run), epochs_csv(curves), tensorboard_events(curves)
        run.log(), run.origin, run.checkpoints()


def read_studies(folder: Path) -> None:
    studies = Studies(folder.parents[1])
    studies.damaged()
    for study in studies.all():
        _ = study.best, study.done


def read_round(folder: Path) -> None:
    round_ = Round(folder)
    state = round_.state()
    _ = round_.teacher, round_.references
    round_.next_guess("p", state), round_.next_pair("p", state)


def read_arrays_apart(data: bytes, folder: Path) -> None:
    (folder / "features.p").write_bytes(data)
    array_reader.main(str(folder / "features.p"), str(folder / "arrays"), 1_000_000)


def read_request(data: bytes, folder: Path) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    async def read() -> None:
        kind = (b"content-type", b"multipart/form-data; boundary=line")
        request = Request({"type": "http", "app": None, "headers": [kind]}, receive)
        try:
            form = await open_form(request)
        except HTTPException:  # answered with its status
            return
        try:
            options_of(form)
            read_image(await photo_of(form).read())
        finally:
            await form.close()

    asyncio.run(read())


def lines(*records: object) -> bytes:
    return "".join(f"{json.dumps(record)}\n" for record in records).encode()


def part(name: str, content: bytes, more: bytes = b"") -> bytes:
    head = f'--line\r\nContent-Disposition: form-data; name="{name}"'.encode()
    return head + more + b"\r\n\r\n" + content + b"\r\n"


MODEL = ROOT / "models" / "shapes"
JPEG, PNG = photo("JPEG"), photo("PNG")
COCO = lines(
    {
        "images": [{"id": 1, "file_name": "000000000001.jpg"}],
        "annotations": [{"id": 2, "image_id": 1, "caption": "a dog runs"}],
    }
)
KARPATHY = lines(
    {
        "images": [
            {
                "filename": f"{name}.jpg",
                "split": "train",
                "sentences": [{"raw": "a dog runs", "tokens": ["a", "dog", "runs"]}],
            }
            for name in "ab"
        ]
    }
)
RECORDS = lines([{"image": "a.jpg", "caption": ["a dog", "it runs"]}, {"image": "b.jpg"}])
PHOTO_FORM = (
    part("image", JPEG, b'; filename="a.jpg"')
    + part("beam_width", b"3")
    + part("required_words", b"red")
    + b"--line--\r\n"
)
EPOCH = {"event": "epoch", "epoch": 1, "loss": 3.0, "dev_loss": 3.1, "cider": 9.0, "bleu_4": 8.0}
EPOCH |= {"seconds": 4.0, "learning_rate": 0.001, "time": 1e9, "forced_bleu_4": 5.0, "n": 4}
EVENTS = lines(
    {"event": "data", "sentences": ["shapes: 20 photos."]},
    {"event": "step", "epoch": 1, "step": 2, "steps": 3, "loss": 0.5, "rate": 1.0, "time": 1e9},
    {"event": "filmstrip", "epoch": 1, "photos": ["a.jpg"], "captions": ["a dog"]},
    *({**EPOCH, "epoch": number} for number in (1, 2, 3)),
)
STATUS = {"state": "finished", "epoch": 1, "created": 1e9}
RUN = {
    "config.json": lines({"name": "try", "data": "shapes"}),
    "status.json": lines(STATUS),
    "events.jsonl": EVENTS,
    "origin.json": lines({"visitor": "10.0.0.1"}),
    "log.txt": b"Epoch 1",
    "note.txt": b"the first",
    "../queue.json": lines(["try"]),
}
STUDY = {
    "config.json": lines(
        {"base": {"name": "try", "data": "shapes"}, "fields": ["learning_rate=1e-4:1e-2:log"]}
    ),
    "status.json": lines({"state": "running", "message": "", "created": 1e9}),
    "trials.jsonl": lines(
        {"trial": 1, "settings": {"epochs": 2}},
        {"trial": 1, "run": "try", "state": "started"},
        {"trial": 1, "state": "finished", "score": 5.0, "scores": [4.0, 5.0], "seconds": 2.0},
    ),
}
VOTE = {"event": "vote", "player": "p", "winner": "1", "loser": "2"}
ROUND = {
    "round.json": lines(
        {
            "teacher": "key",
            "references": ["a dog runs"],
            "entries": [
                {"id": str(number), "kind": kind, "author": kind, "text": "a dog", "player": ""}
                for number, kind in enumerate(("person", "model"), start=1)
            ],
        }
    ),
    "events.jsonl": lines(
        {
            "event": "entry",
            "id": "3",
            "kind": "player",
            "author": "Ada",
            "text": "it runs",
            "player": "p",
        },
        {"event": "phase", "phase": "vote"},
        VOTE,
        {"event": "guess", "player": "p", "entry": "2", "machine": True},
    ),
}
LIBRARY = {
    "log.jsonl": lines(
        {"claim": ["a.jpg"], "worker": "1-ab"},
        {"done": [["a.jpg", "written"]], "by": "m", "table": [0, "a", 7]},
        {"changes": [["a.jpg", "12", "34", 0, 5, 6, 7]]},
    )
}
BUNDLE = {path.name: path.read_bytes() for path in MODEL.iterdir() if path.suffix != ".safetensors"}
BUNDLE["calibration.safetensors"] = (MODEL / "calibration.safetensors").read_bytes()
BUNDLE["published.json"] = lines({"run": "try", "by": "Ada", "at": "2026-01-01"})
FORMATS = ("GIF", "WEBP", "TIFF", "BMP", "AVIF")
TARGETS = {
    "image": Target(
        (JPEG, photo("JPEG", progressive=True), PNG, *map(photo, FORMATS)),
        lambda data, folder: read_image(data),
    ),
    "metadata": Target(
        tuple(write_caption(data, "a dog runs").data for data in (JPEG, PNG, photo("WEBP"))),
        read_metadata,
    ),
    "zip": Target((zip_of(a_jpg=JPEG, b_png=PNG),), read_zip),
    "captions": Target(
        (
            b"image,caption\na.jpg,a dog\nb.jpg,a cat\n",
            "a.jpg#0\tein großer Hund\nb.jpg#0\ta cat\n".encode("utf-16"),
            b'image\tcaption\na.jpg\t"a ""big"" dog"\n',
        ),
        captions_in("captions.txt"),
    ),
    "records": Target((RECORDS, lines(*json.loads(RECORDS)), COCO), captions_in("captions.json")),
    "karpathy": Target(
        (KARPATHY,), captions_in("dataset_flickr8k.json", photos="Flicker8k_Dataset")
    ),
    "coco": Target((COCO,), captions_in("annotations/captions_train2017.json", "train2017")),
    "descriptions": Target(
        (b"a.jpg\ta dog\n", b"100_a startseq a dog endseq\n"),
        read_with_path("descriptions.txt", read_descriptions),
    ),
    "settings": Target(
        tuple(path.read_bytes() for path in sorted((ROOT / "configs").glob("*.json"))),
        read_with_path("config.json", read_training_config),
    ),
    "pickle": Target(
        tuple(
            pickle.dumps({"a.jpg": np.zeros((1, 4), np.float32)}, protocol=protocol)
            for protocol in (2, 3, 4, 5)
        ),
        read_arrays_apart,
    ),
    "npz": Target((npz(a=np.zeros((1, 4), np.float32), b=np.ones(3)),), read_arrays_apart),
    "arrays": Target(
        (save({"a": np.zeros((2, 3), np.float16), "b": np.ones(4, np.float32)}),),
        read_with_path("decoder.safetensors", read_arrays),
    ),
    "table": Target(
        (
            b"photo,caption,log_prob,by,error,seconds\na.jpg,a dog,-1.5,m,,0.1\n",
            b"sep=;\nphoto;caption;log_prob;by;error;seconds\na.jpg;'=1+1;-1,5;m;;0,1\n",
        ),
        read_with_path("captions.csv", lambda path: Journal(path, by="m")),
    ),
    "request": Target((PHOTO_FORM,), read_request),
}
for kind, files, read, place in (
    ("bundle", BUNDLE | {"decoder.safetensors": b""}, read_whole_bundle, "."),
    ("run", RUN, read_runs, "runs/try"),
    ("search", STUDY, read_studies, "studies/try"),
    ("round", ROUND, read_round, "."),
    ("library", LIBRARY, lambda folder: LibraryLog(folder, lambda *_: True).changes(), "."),
):
    targets = in_folder(files, read, place)
    TARGETS |= {f"{kind}, {Path(name).name}": target for name, target in targets.items()}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return a file with a few of its bytes changed, left out, repeated or added."""
    content = bytearray(data)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        place = chance.randrange(len(content) + 1)
        length = chance.choice((1, 1, 2, 4, 16, 64))
        match chance.randrange(5):
            case 0:
                content[place : place + length] = chance.randbytes(length)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length] * chance.choice((1, 2, 50))
            case 3:
                content[place : place + 1] = bytes([chance.choice((0, 1, 127, 128, 255))])
            case 4:
                odd = (b'"', b"[" * 2000, b"9" * 400, b"-", b"\n")
                content[place : place + 1] = chance.choice(odd)
    return bytes(content)


def draw(name: str, seed: int) -> bytes:
    """Draw a damaged file for a reader."""
    chance = random.Random(seed)
    return damaged(chance.choice(TARGETS[name].seeds), chance)


def fault_of(name: str, data: bytes) -> str:
    """Let a reader read a file; return what went wrong, or an empty text."""
    begun = time.process_time()  # on a busy machine everything takes long
    with tempfile.TemporaryDirectory() as folder:
        try:
            TARGETS[name].read(data, Path(folder))
        except CaptioningError:
            pass
        except BaseException:
            return traceback.format_exc()
    seconds = time.process_time() - begun
    return f"It took {seconds:.0f} s of CPU time." if seconds > TOO_LONG_SECONDS else ""


def file_name(name: str, seed: int) -> str:
    return f"{name}-{seed}".replace(", ", "-")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=sorted(TARGETS))
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else sorted(TARGETS)
    begun = time.monotonic()
    asked_to_stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_stop.append(number))
    seed, failures = arguments.seed, 0
    while time.monotonic() - begun < arguments.seconds and not asked_to_stop:
        for name in names:
            data = draw(name, seed)
            if fault := fault_of(name, data):
                failures += 1
                FOUND.mkdir(exist_ok=True)
                (FOUND / file_name(name, seed)).write_bytes(data)
                print(f"{name}, seed {seed}:\n{fault}", flush=True)
        seed += 1
    files = f"{seed - arguments.seed:,} files for each of {len(names)} readers"
    hours, busy = (time.monotonic() - begun) / 3600, time.process_time() / 60
    print(f"{files} ({'; '.join(names)}): {failures} faults.")
    print(f"{hours:.2f} hours, {busy:.0f} minutes of CPU time", flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
