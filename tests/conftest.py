"""What tests share: small data and small models."""

import importlib.abc
import importlib.machinery
import os
import sys
from pathlib import Path

# Read when TensorFlow and NumPy are imported, so they are set before any test module imports them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two processes that test share the cores

import numpy as np
import pytest
from _pytest.doctest import DoctestModule
from PIL import Image

from captioning.bundle import write_bundle
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.vocabulary import SPECIAL, Vocabulary

WORDS = (
    "a the two red blue green small large circle square triangle above below beside left right of"
).split()
"""Words of the tiny model: with the four special marks, 21."""

ENCODER = EncoderConfig(name="compact", layer="map", input_size=32, width=4)
DECODER = DecoderConfig(
    kind="attention", embedding_size=8, units=16, heads=2, dropout=0.0, max_length=8
)


class _NoKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Skips whatever imports Keras, a test or a whole module of tests, instead of importing it."""

    asked = False

    def find_spec(self, name, path, target=None):
        if name in ("keras", "tensorflow"):
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        self.asked = True
        pytest.skip("needs Keras", allow_module_level=True)

    def exec_module(self, module):
        raise NotImplementedError


NO_KERAS = _NoKeras()


def pytest_addoption(parser):
    parser.addoption("--without-keras", action="store_true", help="skip all that imports Keras")


def pytest_configure(config):
    if config.getoption("--without-keras"):
        sys.meta_path.insert(0, NO_KERAS)
        # NLTK imports all of SciPy, if JAX has brought it, for a function that nothing here uses.
        sys.modules.setdefault("scipy", None)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path):
    """Look for examples in docstrings of the library only: there are none in tests."""
    collectors = yield
    return [c for c in collectors if not isinstance(c, DoctestModule)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Skip a test also if the import was refused in another thread, such as a page's."""
    if call.when == "setup" and not call.excinfo:
        NO_KERAS.asked = False
    report = yield
    if report.failed and NO_KERAS.asked:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), None, "Skipped: needs Keras")
    return report


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Forty drawn pictures: 32 for training, 4 for dev, 4 for test."""
    from captioning.datasets import generate_shapes

    return generate_shapes(tmp_path_factory.mktemp("data") / "shapes", count=40, seed=1)


@pytest.fixture(scope="session")
def photo():
    """A picture without symmetry."""
    y, x = np.mgrid[0:40, 0:60]
    return Image.fromarray(np.stack([4 * x, 6 * y, 255 - 2 * (x + y)], axis=-1).astype(np.uint8))


@pytest.fixture(scope="session")
def write_tiny_bundle():
    """A function that writes a whole model of random weights into a folder, in milliseconds."""
    import keras

    from captioning.arrays import weights_of
    from captioning.backend import to_numpy
    from captioning.decoders import build_decoder
    from captioning.encoders import load_encoder

    vocabulary = Vocabulary([*SPECIAL, *WORDS])
    keras.utils.set_random_seed(5)
    encoder = load_encoder(ENCODER, random_weights=True)
    decoder = build_decoder(
        DECODER, vocabulary_size=len(vocabulary), feature_shape=encoder.feature_shape
    )
    random = np.random.default_rng(8)
    for variable in decoder.trainable_variables:  # far from zero, so that sentences differ
        variable.assign(random.normal(0, 0.7, variable.shape))
    colours = random.uniform(0, 255, (8, 1, 1, 3)) * random.uniform(0, 1, (8, 32, 32, 1))
    features = to_numpy(encoder.network(colours.astype(np.float32))).reshape(-1, 64)
    decoder.scaling.adapt(features.mean(axis=0), features.std(axis=0))
    arrays = {"decoder": weights_of(decoder), "encoder": weights_of(encoder.network)}

    def write(folder, **changes):
        content = {
            "encoder": ENCODER,
            "decoder": DECODER,
            "feature_shape": encoder.feature_shape,
            "decoding": DecodingConfig(),
            "vocabulary": vocabulary,
            "decoder_arrays": arrays["decoder"],
            "encoder_arrays": arrays["encoder"],
            "card": "# tiny\n\n<!-- scores -->\n<!-- end of scores -->\n",
        }
        return write_bundle(Path(folder), **{**content, **changes})

    return write


@pytest.fixture(scope="session")
def tiny_bundle(write_tiny_bundle, tmp_path_factory):
    """A whole model of random weights; not to be changed."""
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_captioner(tiny_bundle):
    """The tiny model, loaded."""
    from captioning.captioner import Captioner

    return Captioner.load(tiny_bundle.folder)
