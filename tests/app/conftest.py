"""The app under test: a folder of its own, empty caches, and a captioner that counts its work."""

import io
import math
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import captioning.bundle.reading
import captioning.captioner
from captioning.caption import Alternative, Caption, Word
from captioning.fair_lock import FairLock
from pages.ui.memory import settle

ROOT = Path(__file__).parents[2]


@pytest.fixture
def train_with(monkeypatch):
    """A function that lets a script of `tests/unit` stand in for training."""
    from captioning.runs import control

    def use(script):
        command = [sys.executable, str(ROOT / "tests" / "unit" / script)]
        monkeypatch.setattr(control, "COMMAND", command)

    yield use
    for child in control._CHILDREN:
        child.kill()
        child.wait()
    control._CHILDREN.clear()


class FakeCaptioner:
    """Has the face of `captioning.captioner.Captioner`, and says which photo it was given."""

    loads: list[str]
    captions: list[tuple[str, int]]
    encoded: list[int]
    failure: Exception | None
    written: list[tuple[str, float]] | None = None
    """The words of every caption and their probabilities, instead of those by colour."""

    def __init__(self, name):
        self.name = name
        self.turns = FairLock()

    @classmethod
    def load(cls, folder):
        cls.loads.append(Path(folder).name)
        if cls.failure:
            raise cls.failure
        return cls(Path(folder).name)

    def encode(self, photos):
        type(self).encoded.append(len(photos))
        return np.array([photo.resize((1, 1)).getpixel((0, 0)) for photo in photos])

    def trace(self, features, decoding):
        assert threading.current_thread().name  # any thread may ask
        type(self).captions.append((self.name, decoding.beam_width))
        return features

    def rank(self, trace, decoding, *, seconds):
        return [self._caption(features, decoding) for features in trace]

    def with_neutral_words(self, captions, features):
        return captions

    def _caption(self, features, decoding):
        red, green, blue = map(int, features)
        colour = {red: "red", green: "green", blue: "blue"}[max(red, green, blue)]
        written = self.written or [("a", 0.9), (colour, 0.5), ("a", 0.02)]
        words = [Word(word, math.log(probability)) for word, probability in written]
        return Caption(
            text=" ".join(word for word, _ in written),
            log_prob=sum(word.log_prob for word in words),
            words=tuple(words),
            alternatives=tuple(
                Alternative(f"another sentence {n}", math.log(0.001))
                for n in range(1, decoding.beam_width)
            ),
            model=self.name,
            seconds=0.42,
            decoding=decoding,
        )


_SETTLED = set()


def settle_once():
    """Exclude what is imported from the garbage collection that Streamlit runs after every page."""
    loaded = "keras" in sys.modules
    if loaded not in _SETTLED:
        _SETTLED.add(loaded)
        settle()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """`$CAPTIONING_DATA` for one test; no model is shipped, and nothing is cached."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CAPTIONING_DATA", str(folder))
    monkeypatch.delenv("CAPTIONING_WEIGHTS", raising=False)
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: tmp_path / "shipped")
    # What takes most of a test's time: collecting garbage for each model that is loaded, and
    # reading the metadata of all installed packages in search of Streamlit's components.
    settle_once()
    monkeypatch.setattr("pages.ui.cache.settle", settle_once)
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", list)
    st.cache_data.clear()
    st.cache_resource.clear()
    return folder


@pytest.fixture
def captioner(monkeypatch):
    """The captioner every page gets: quick, and it keeps account of what it was asked."""
    fake = type(
        "Captioner", (FakeCaptioner,), {"loads": [], "captions": [], "encoded": [], "failure": None}
    )
    monkeypatch.setattr(captioning.captioner, "Captioner", fake)
    return fake


@pytest.fixture
def model(home, captioner, write_tiny_bundle):
    """One model, `tiny`."""
    return write_tiny_bundle(home / "models" / "tiny", metrics={"evaluations": [_SCORE]})


_SCORE = {
    "data": "flickr8k",
    "split": "test",
    "images": 1000,
    "beam_width": 3,
    "length_penalty": 0.7,
    "bleu_1": 60.0,
    "bleu_2": 42.0,
    "bleu_3": 30.0,
    "bleu_4": 21.73,
    "rouge_l": 45.0,
    "cider": 57.42,
}


@pytest.fixture
def open_page():
    """A function that opens the app at one of its pages, as a link would."""

    def open_(page="caption", **query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        for key, value in query.items():
            app.query_params[key] = value
        if page != "caption":
            app.switch_page(f"pages/{page}/{page}.py")
        return app.run()

    return open_


@pytest.fixture(scope="session")
def jpeg():
    """A function that returns a photo of one colour as the bytes of a JPEG."""

    def make(colour, size=(64, 48)):
        buffer = io.BytesIO()
        Image.new("RGB", size, colour).save(buffer, "JPEG")
        return buffer.getvalue()

    return make
