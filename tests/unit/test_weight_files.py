"""Which encoders can run without a download, message by the names of files."""

import pytest

from captioning.config import EncoderConfig
from captioning.encoders.registry import has_weights

FILES = {
    "xception": "xception_imagenet_upto_block13.weights.h5",
    "efficientnetv2b0": "efficientnetv2b0_imagenet_notop.weights.h5",
}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """An empty classroom's folder, and an empty folder of Keras."""
    (tmp_path / "class").mkdir()
    (tmp_path / "keras" / "models").mkdir(parents=True)
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(tmp_path / "class"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_an_encoder_needs_a_file_in_one_of_two_places(name, places, monkeypatch):
    encoder = EncoderConfig(name=name)
    assert not has_weights(encoder)
    (places / "class" / FILES[name]).touch()
    assert has_weights(encoder)
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(places / "nowhere"))
    assert not has_weights(encoder)
    monkeypatch.delenv("CAPTIONING_WEIGHTS")
    assert not has_weights(encoder)
    kept = "efficientnetv2-b0_notop.h5"
    (places / "keras" / "models" / kept).touch()
    assert has_weights(encoder) == (name == "efficientnetv2b0")


def test_what_comes_with_the_program_needs_no_file():
    assert has_weights(EncoderConfig(name="compact"))
    assert has_weights(EncoderConfig(name="efficientnetlite2"))


def test_a_model_with_an_unknown_encoder_cannot_run():
    assert not has_weights(EncoderConfig(name="nowhere"))
