"""A model as the files the tutorials end with: they caption photos as the model does."""

import ast
import io
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from captioning.arrays import weights_of
from captioning.bundle import read_bundle, write_bundle
from captioning.captioner import Captioner
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.decoders import build_decoder
from captioning.encoders import load_encoder
from captioning.encoders.registry import ENCODERS
from captioning.errors import BundleError, FeaturesError
from captioning.images import read_image
from captioning.tutorial_files import (
    read_descriptions,
    read_features,
    write_tutorial_files,
    zip_tutorial_files,
)
from captioning.tutorial_files.script import (
    SCRIPT,
    fill_decoder,
    fill_encoder,
    load_script,
    write_script,
)
from captioning.vocabulary import SPECIAL, Vocabulary

ROOT = Path(__file__).parents[2]
GREEDY = DecodingConfig(beam_width=1)
WORDS = Vocabulary([*SPECIAL, *"a the red green blue dog cat kite runs sits on start end".split()])


@pytest.fixture(scope="module")
def shipped():
    return Captioner.load(ROOT / "models" / "shapes")


@pytest.fixture(scope="module")
def written(shipped, shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial")
    files = write_tutorial_files(shipped, folder, dataset=shapes, split="dev", photos=3)
    assert sorted(path.name for path in files) == sorted(path.name for path in folder.iterdir())
    return folder


@pytest.mark.slow
def test_the_script_alone_writes_the_captions_that_the_model_writes(shipped, shapes, written):
    """In a process that cannot import this project, beside the files and nothing else."""
    (written / "descriptions.txt").rename(written / "d.txt")
    (written / "features.p").rename(written / "f.p")
    run = f"""
import sys, runpy
sys.modules["captioning"] = None
for photo in {[str(shapes.path(photo)) for photo in shapes.split("test")[:3]]!r}:
    sys.argv = ["testing_caption_generator.py", "-i", photo]
    runpy.run_path({str(written / SCRIPT)!r}, run_name="__main__")
"""
    ended = subprocess.run(
        [sys.executable, "-c", run],
        cwd=written,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    (written / "d.txt").rename(written / "descriptions.txt")
    (written / "f.p").rename(written / "features.p")
    photos = [read_image(shapes.path(photo)) for photo in shapes.split("test")[:3]]
    expected = [shipped.caption(photo, GREEDY).text for photo in photos]
    assert ended.stdout.splitlines() == expected, ended.stderr


def test_descriptions_and_features_are_those_of_the_photos(shipped, shapes, written):
    photos = shapes.split("dev")[:3]
    assert list(read_descriptions(written / "descriptions.txt")) == [p.name for p in photos]
    features = read_features(written / "features.p")
    expected = shipped.encode([read_image(shapes.path(photo)) for photo in photos])
    for photo, row in zip(photos, expected, strict=True):
        np.testing.assert_allclose(features[photo.name], row[None], atol=1e-3)


def test_the_tokenizer_is_read_without_this_project(shipped, written):
    code = (
        "import pickle, sys; sys.modules['captioning'] = None; "
        "t = pickle.load(open('tokenizer.p', 'rb')); "
        "print(t.word_index['a'], t.index_word[t.word_index['red']], t.num_words, t.max_length)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=written, capture_output=True, text=True
    )
    words = shipped.bundle.vocabulary
    expected = f"{words.id('a')} red {len(words)} {shipped.bundle.decoder.max_length}"
    assert ended.stdout.strip() == expected, ended.stderr
    content = pickle.loads((written / "tokenizer.p").read_bytes())
    assert all(content.index_word[n] == word for word, n in content.word_index.items())


def test_the_picture_shows_the_network(written):
    with Image.open(written / "model.png") as picture:
        assert picture.width > 800 and picture.height > 800
        assert len(picture.convert("RGB").getcolors(1_000_000)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("shape", [(12,), (9, 12)])
@pytest.mark.parametrize("kind", ["merge", "inject", "attention"])
def test_every_kind_of_decoder_gives_the_same_probabilities(tmp_path, kind, shape, cell):
    if kind == "attention" and len(shape) == 1:
        pytest.skip("attention has nothing to look at")
    keras.utils.set_random_seed(4)
    config = DecoderConfig(kind=kind, cell=cell, embedding_size=6, units=8, heads=2, max_length=7)
    decoder = build_decoder(config, vocabulary_size=len(WORDS), feature_shape=shape)
    random = np.random.default_rng(2)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.5, variable.shape))
    decoder.scaling.adapt(random.normal(3, 2, 12), random.uniform(0.5, 4, 12))
    bundle = write_bundle(
        tmp_path / "model",
        encoder=EncoderConfig(name="compact", input_size=32, width=4, layer="map"),
        decoder=config,
        feature_shape=shape,
        decoding=DecodingConfig(),
        vocabulary=WORDS,
        decoder_arrays=weights_of(decoder),
    )
    write_script(bundle, tmp_path / SCRIPT)
    model = load_script(tmp_path / SCRIPT).define_model()
    fill_decoder(model, kind, weights_of(decoder))
    features = random.normal(3, 2, (2, *shape)).astype(np.float32)
    ids = random.integers(4, len(WORDS), (2, 5)).astype(np.int32)
    logits = keras.ops.convert_to_numpy(decoder(features, ids[:, None], training=False))[:, 0]
    for length in (1, 3, 5):
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits[:, length - 1]))
        found = keras.ops.convert_to_numpy(model([features, ids[:, :length]], training=False))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(BundleError, match="no place"):
        fill_decoder(model, kind, {**weights_of(decoder), "decoder/more/kernel": np.zeros(1)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer"),
    [(name, layer) for name, spec in ENCODERS.items() if spec.application for layer in spec.layers],
)
def test_every_encoder_s_script_is_whole(tmp_path, tiny_bundle, name, layer, monkeypatch):
    """Built without weights, which would be downloaded; only the smallest are built at all."""

    config = EncoderConfig(name=name, layer=layer)
    write_script(replace(tiny_bundle, encoder=config), tmp_path / SCRIPT)
    text = (tmp_path / SCRIPT).read_text()
    ast.parse(text)
    assert "@" not in text
    if (name, layer) not in {("xception", "block13"), ("efficientnetv2b0", "map")}:
        return
    made = getattr(keras.applications, ENCODERS[name].application)
    monkeypatch.setattr(
        keras.applications,
        ENCODERS[name].application,
        lambda **options: made(**{**options, "weights": None}),
    )
    encoder = load_script(tmp_path / SCRIPT).load_encoder()
    ours = load_encoder(config, random_weights=True)
    assert tuple(encoder.output.shape[1:]) == ours.feature_shape


@pytest.mark.slow
def test_the_script_rebuilds_efficientnet_lite2(tmp_path, tiny_bundle):
    from dataclasses import replace

    config = EncoderConfig(name="efficientnetlite2", input_size=32)
    write_script(replace(tiny_bundle, encoder=config), tmp_path / SCRIPT)
    assert "@" not in (tmp_path / SCRIPT).read_text()
    encoder = load_script(tmp_path / SCRIPT).define_encoder()
    ours = load_encoder(config, random_weights=True).network
    fill_encoder(encoder, weights_of(ours))
    pixels = np.random.default_rng(3).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(encoder(pixels)),
        keras.ops.convert_to_numpy(ours(pixels)),
        atol=1e-4,
    )


def test_a_zip_holds_the_files(tiny_captioner, shapes):
    with zipfile.ZipFile(io.BytesIO(zip_tutorial_files(tiny_captioner))) as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert names == {
        SCRIPT,
        "tokenizer.p",
        "model.png",
        "model.weights.h5",
        "encoder.weights.h5",
    }


def test_features_that_no_script_could_read_are_refused(tiny_captioner, shapes, monkeypatch):
    monkeypatch.setattr("captioning.tutorial_files.writing.MOST_FEATURE_BYTES", 100_000)
    with pytest.raises(FeaturesError, match="Take 6 photos at most"):
        zip_tutorial_files(tiny_captioner, dataset=shapes)


def test_pixels_are_scaled_as_ours(tmp_path, tiny_bundle):

    for name in ("xception", "vgg16", "efficientnetv2b0"):
        bundle = replace(tiny_bundle, encoder=EncoderConfig(name=name))
        write_script(bundle, tmp_path / f"{name}.py")
        pixels = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3) * 20
        spec = ENCODERS[name]
        expected = pixels.copy()
        if spec.module:
            expected = getattr(keras.applications, spec.module).preprocess_input(pixels.copy())
        np.testing.assert_array_equal(load_script(tmp_path / f"{name}.py").scale(pixels), expected)


def test_the_shipped_model_is_left_as_it_was():
    assert not (read_bundle(ROOT / "models" / "shapes").folder / SCRIPT).exists()


def test_the_script_makes_small_copies_as_the_model_does(tmp_path, tiny_bundle, monkeypatch):
    bundle = replace(tiny_bundle, encoder=tiny_bundle.encoder.replace(photo_size=24))
    write_script(bundle, tmp_path / SCRIPT)
    script = load_script(tmp_path / SCRIPT)
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (50, 90, 3), np.uint8))
    photo.save(tmp_path / "photo.png")
    monkeypatch.setattr(script, "scale", lambda pixels: pixels)
    seen = []
    reader = SimpleNamespace(predict=lambda pixels, verbose: seen.append(pixels))
    script.extract_features(tmp_path / "photo.png", reader)
    ours = load_encoder(bundle.encoder, arrays=bundle.encoder_arrays()).pixels(photo)
    np.testing.assert_array_equal(seen[0][0], ours)
