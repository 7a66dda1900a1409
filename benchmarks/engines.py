"""Captioning by ONNX graphs against Keras: a cold command, one caption, a folder, the encoder."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.material import PHOTO_SIZES, jpeg, photo_folder
from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.networks import Sizes
from captioning.batch import caption_album, open_album
from captioning.bundle import default_model
from captioning.captioner import Captioner
from captioning.images import read_image
from captioning.inference.keras_decoder import KerasDecoder

ROOT = Path(__file__).resolve().parents[1]


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


COLD = Comparison(
    key="cold_command_over_import",
    title="CPU time of a caption from the command line over `import tensorflow`",
    over="command",
    under="import",
    unit="process",
    at_most=0.3,
    clock=_children_seconds,
    notes="User and system time of whole processes. The graphs are there. At most 200 MB.",
)


def compare_cold(sizes: Sizes) -> Result:
    """Compare a whole command with the import of TensorFlow alone."""
    peaks: dict[str, float] = {}

    def run(name: str, *arguments: str) -> None:
        peaks[name] = max(peaks.get(name, 0.0), _peak_memory(arguments))

    with TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        photo.write_bytes(jpeg(PHOTO_SIZES[0]))
        _peak_memory((*_COMMAND, str(photo)))  # the first command may have to write the graphs
        works = {
            "command": Work("captioning caption", partial(run, "command", *_COMMAND, str(photo))),
            "import": Work("import tensorflow", partial(run, "import", "-c", "import tensorflow")),
        }
        result = measure(COLD, works, rounds=sizes.cold_rounds)
    labels = {name: f"{works[name].label}, at most {peaks[name]:.0f} MB" for name in works}
    return replace(result, labels=labels)


_COMMAND = ("-m", "captioning", "caption")
# A process counts the memory of the one it was started from, so a small one starts it.
_LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak_memory(arguments: tuple[str, ...]) -> float:
    """Run Python with arguments; returns the most memory it held, in megabytes (Linux)."""
    command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, sys.executable, *arguments]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return int(ended.stdout) / 1000


WARM = Comparison(
    key="caption_over_keras",
    title="A caption by graphs over the same caption by Keras",
    over="graphs",
    under="keras",
    unit="photo",
    at_most=0.6,
    notes="The default model, from a JPEG in memory to its sentence; the search is the same.",
)


def compare_warm(sizes: Sizes) -> Result:
    """Compare single captions by both engines."""
    photo = jpeg(PHOTO_SIZES[0])

    def caption(captioner: Captioner) -> None:
        captioner.caption(read_image(photo))

    works = {
        name: Work(f"a caption by {name}", partial(caption, captioner))
        for name, captioner in _engines().items()
    }
    return measure(WARM, works, rounds=sizes.caption_rounds)


FOLDER = Comparison(
    key="folder_rate_over_keras",
    title="Photos from files per CPU second, by graphs over by Keras",
    over="keras",  # a rate is the inverse of a time
    under="graphs",
    unit="photo",
    at_least=1.7,
    clock=time.process_time,
    notes="The default model. CPU time of all threads, reading and scaling included.",
)


def compare_folder(sizes: Sizes) -> Result:
    """Compare a folder of photos by both engines."""
    with TemporaryDirectory() as folder:
        album = open_album(photo_folder(Path(folder) / "photos", sizes.folder_photos).root)

        def caption(captioner: Captioner) -> None:
            list(caption_album(captioner, album))

        works = {
            name: Work(
                f"a folder of {len(album)} photos by {name}",
                partial(caption, captioner),
                units=len(album),
            )
            for name, captioner in _engines().items()
        }
        return measure(FOLDER, works, rounds=sizes.folder_rounds)


def _engines() -> dict[str, Captioner]:
    graphs = Captioner.load(default_model())
    keras = Captioner(graphs.bundle, KerasDecoder(graphs.keras_decoder), graphs.keras_encoder)
    return {"graphs": graphs, "keras": keras}


COMPARISONS: dict[str, Callable[[Sizes], Result]] = {
    COLD.key: compare_cold,
    WARM.key: compare_warm,
    FOLDER.key: compare_folder,
}
"""The functions that measure the ratios, by key."""
