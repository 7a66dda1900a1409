"""The server does not grow with the photos it has captioned."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pages.ui.memory import settle_keras

ROOT = Path(__file__).parents[2]
MOST_MB = 50

CAPTION_AND_MEASURE = """
import io, logging, threading
import numpy as np
from PIL import Image

from pages.ui.memory import keep_compact

keep_compact()
logging.disable(logging.WARNING)  # Streamlit misses its server
from captioning.bundle import read_bundle
from captioning.config import DecodingConfig
from pages.ui import cache


def resident_mb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def visit(number):
    # Every photo differs, so nothing is answered from a cache.
    pixels = np.random.default_rng(number).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((2400, 1800)).save(buffer, "JPEG")
    photo = buffer.getvalue()
    cache.preview(photo, "photo")
    sentences.append(cache.caption(bundle, photo, "photo", DecodingConfig()).text)


bundle = read_bundle("tiny")
sentences = []
for number in range({photos}):
    rerun = threading.Thread(target=visit, args=(number,))
    rerun.start()
    rerun.join()
    if number == 5:
        before = resident_mb()
assert len(sentences) == {photos}
print(resident_mb() - before)
"""


FREE_AND_MEASURE = """
import time
from pages.ui import memory

memory._PAUSE = 0.05
memory.keep_compact()


def resident_mb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


blocks = [bytearray(50_000) for _ in range(4_000)]
full = resident_mb()
del blocks[:-1]  # the last one keeps the C library from making its heap shorter
deadline = time.monotonic() + 30
while full - resident_mb() < 150 and time.monotonic() < deadline:
    time.sleep(0.05)
print(full - resident_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_freed_memory_below_other_blocks_is_returned_to_the_system():
    done = subprocess.run(
        [sys.executable, "-c", FREE_AND_MEASURE], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) >= 150


COLLECT = """
import gc, time, weakref
from pages.ui import memory

class Session: pass

memory._PAUSE = 0.01
gc.disable()
session = Session()
session.page = session
gone = weakref.ref(session)
del session
memory.keep_compact()
deadline = time.monotonic() + 30
while gone() and time.monotonic() < deadline:
    time.sleep(0.01)
print(gone())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no such thread")
def test_what_ended_sessions_leave_is_collected():
    done = subprocess.run([sys.executable, "-c", COLLECT], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_dozens_of_photos_leave_the_server_as_large_as_a_few(home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "tiny")
    done = subprocess.run(
        [sys.executable, "-c", CAPTION_AND_MEASURE.replace("{photos}", "60")],
        cwd=ROOT,
        env={**os.environ, "CAPTIONING_DATA": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < MOST_MB


def test_what_streamlit_does_after_a_run_leaves_keras_session_alone(monkeypatch):
    import keras
    from keras.src.backend.common import global_state
    from streamlit.runtime.scriptrunner import script_runner

    monkeypatch.setattr(keras.backend, "clear_session", keras.utils.clear_session)
    global_state.set_global_attribute("of_this_test", "kept")
    settle_keras()  # as app.py does after each run
    script_runner._clean_problem_modules()
    assert global_state.get_global_attribute("of_this_test") == "kept"
    keras.utils.clear_session()
    assert global_state.get_global_attribute("of_this_test") is None
