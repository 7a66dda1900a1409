"""The commands that made the models that come with the program, run to the end on shapes."""

import json
import shutil
from pathlib import Path

import pytest

from captioning.__main__ import main
from captioning.bundle import read_bundle

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "configs"
CONFIGS = sorted([*FOLDER.glob("flickr8k-*.json"), *FOLDER.glob("everyday*.json")])
SMALL = (
    "epochs=1 images_per_batch=8 limit_images=8 score_images=2 min_count=1 samples=2 "
    "encoder.name=compact encoder.layer=map encoder.input_size=32 encoder.width=4 "
    "decoder.embedding_size=8 decoder.units=16 decoder.heads=2"
).split()
GIVEN = {None, "data/distilled/compact"}
"""Where an encoder comes from that no training run made: ImageNet, or a distillation."""


def needed(settings):
    """The models a configuration builds on."""
    origin, lender = settings.get("start_from"), settings.get("encoder_from")
    named = {origin, lender, *settings.get("teachers", [])}
    return named - GIVEN


def in_order():
    """Each configuration after those whose models it needs."""
    waiting = {path: json.loads(path.read_text(encoding="utf-8")) for path in CONFIGS}
    made = set()
    while waiting:
        ready = [path for path, settings in waiting.items() if needed(settings) <= made]
        assert ready, f"nothing makes what {[path.name for path in waiting]} begin with"
        for path in ready:
            settings = waiting.pop(path)
            made.add(settings["name"])
            yield path, settings


def test_the_stages_of_every_model_follow_one_another(
    shapes, tiny_bundle, data_home, monkeypatch, tmp_path, eagerly, capsys
):
    # As on a machine where nothing was trained yet.
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: tmp_path / "none")
    (tmp_path / "distilled").mkdir()
    shutil.copy(tiny_bundle.folder / "encoder.safetensors", tmp_path / "distilled")
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("a red circle is above a blue square\n" * 30)
    names = []
    for path, settings in in_order():
        changes = [*SMALL]
        if settings.get("encoder_from") in GIVEN:
            changes.append(f"encoder_from={tmp_path / 'distilled'}")
        if settings.get("sentences"):
            changes.append(f"sentences={sentences}")
        sets = [part for change in changes for part in ("--set", change)]
        data = ["--data", str(shapes.root)] * (1 + len(settings.get("extra_data", [])))
        status = main(["train", "--config", str(path), *data, *sets])
        assert status == 0, (path.name, capsys.readouterr().err)
        bundle = read_bundle(settings["name"])
        assert len(bundle.history()) == 1
        began = bundle.metrics["training"].get("began_with", {"model": None})["model"]
        assert began == settings.get("start_from")
        assert f"configs/{path.name}" in bundle.card
        names.append(bundle.name)
    assert {"flickr8k-compact", "flickr8k-merge", "flickr8k-inject"} <= set(names)
    assert {"flickr8k-xception", "flickr8k-efficientnet", "everyday"} <= set(names)
