"""A class's own files: matched, and made a data set that a run learns from."""

import dataclasses
import json
import os
import pickle
import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from captioning.__main__ import main
from captioning.config import EncoderConfig, TrainingConfig, read_training_config
from captioning.datasets import available_datasets, load
from captioning.encoders.registry import ENCODERS, feature_shape, resolve
from captioning.errors import CaptioningError, FeaturesError
from captioning.features import FeatureStore, store_folder
from captioning.runs import data_sizes
from captioning.tutorial_files import (
    read_class_files,
    read_descriptions,
    take_over,
    write_tutorial_files,
)
from captioning.tutorial_files.writing import _encoder_facts

ROOT = Path(__file__).parents[2]
XCEPTION = EncoderConfig(name="xception", layer="avg_pool")


@pytest.fixture
def brought(tmp_path):
    """Files as two well-known tutorials write them: ids without an ending, marks in captions."""
    random = np.random.default_rng(1)
    names = [f"{1000 + n}_ab.jpg" for n in range(40)]
    features = {name: random.uniform(0, 1, (1, 2048)).astype(np.float32) for name in names}
    lines = [f"{name}\ta {c} dog runs\n" for name in names for c in ("red", "blue")]
    lines.append("1999_ab.jpg\tnobody saw this\n")
    features["1998_ab.jpg"] = features[names[0]]
    (tmp_path / "descriptions.txt").write_text("".join(lines))
    (tmp_path / "features.p").write_bytes(pickle.dumps(features))
    return tmp_path


def files_of(folder):
    return read_class_files(folder / "descriptions.txt", folder / "features.p")


def test_matches_and_mismatches_are_reported(brought):
    files = files_of(brought)
    assert len(files.features) == 40
    assert files.shape == (2048,)
    assert files.words == 5
    assert files.without_features == ("1999_ab.jpg",)
    assert files.without_captions == ("1998_ab.jpg",)
    assert files.encoder == XCEPTION


def test_the_command_that_is_printed_trains_on_their_features(brought, data_home, capsys):
    files = ("descriptions.txt", "features.p")
    assert main(["tutorial", "read", *(str(brought / f) for f in files), "--name", "class"]) == 0
    (printed,) = re.findall("Train on it: (.*)", capsys.readouterr().out)
    words = shlex.split(printed)
    sets = [value for option, value in pairwise(words) if option == "--set"]
    config = read_training_config(ROOT / words[words.index("--config") + 1]).with_settings(sets)
    assert resolve(config.encoder)[0] == resolve(XCEPTION)[0]
    assert load(words[words.index("--data") + 1]).name == "class"


def test_names_without_ending_spaces_for_tabs_and_marks_are_understood(tmp_path):
    path = tmp_path / "descriptions.txt"
    path.write_text("1000_ab startseq a red dog endseq\n1001_ab <start> a cat <end>\n")
    assert read_descriptions(path)["1000_ab"] == ["startseq a red dog endseq"]
    features = {"1000_ab.jpg": np.zeros(4096, np.float32), "1001_ab.jpg": np.ones((1, 4096))}
    (tmp_path / "features.p").write_bytes(pickle.dumps(features))
    files = files_of(tmp_path)
    assert dict(files.captions) == {"1000_ab": ("a red dog",), "1001_ab": ("a cat",)}
    assert files.encoder == EncoderConfig(name="vgg16", layer="fc2")


def test_long_lines_are_read_or_refused_at_once(tmp_path):
    path = tmp_path / "descriptions.txt"
    path.write_text("1" * 1_000_000)
    with pytest.raises(FeaturesError, match="line 1: expected a photo's name"):
        read_descriptions(path)
    path.write_text("1.jpg  a dog \u00b2\n\u00b2 a cat\n")
    with pytest.raises(FeaturesError, match="line 2"):
        read_descriptions(path)
    path.write_text("1.jpg\ta" + " " * 1_000_000 + "dog endseq\n")
    (tmp_path / "features.p").write_bytes(pickle.dumps({"1.jpg": np.zeros(4096, np.float32)}))
    (caption,) = files_of(tmp_path).captions["1.jpg"]
    assert caption.split() == ["a", "dog"]


def test_a_class_s_files_become_a_data_set_with_features(brought, data_home):
    dataset = take_over(files_of(brought), "our class")
    assert dataset.root == data_home / "our-class"
    assert "our-class" in [found.name for found in available_datasets()]
    assert len(dataset) == 40
    assert load(dataset.root).fingerprint == dataset.fingerprint
    assert all(dataset.split(split) for split in ("train", "dev"))
    store = FeatureStore(store_folder(XCEPTION, dataset))
    given = pickle.loads((brought / "features.p").read_bytes())
    names = [photo.name for photo in dataset.photos]
    expected = np.concatenate([given[name] for name in names])
    np.testing.assert_allclose(store.of(names), expected, atol=1e-3)
    config = TrainingConfig(data="our-class", encoder=XCEPTION)
    sizes = data_sizes(config, data_home)
    assert (sizes.photos, sizes.encoded) == (40, 40)
    with pytest.raises(FeaturesError, match="already"):
        take_over(files_of(brought), "our class")


@pytest.mark.slow
def test_a_decoder_learns_from_them_without_a_photo(brought, tmp_path):
    from captioning.training import train

    dataset = take_over(files_of(brought), "ours")
    config = TrainingConfig.from_dict(
        {
            "encoder": XCEPTION.to_dict(),
            "decoder": {"kind": "merge", "embedding_size": 8, "units": 8, "max_length": 8},
            "epochs": 1,
            "min_count": 1,
            "images_per_batch": 16,
        }
    )
    bundle = train(config, dataset, bundle_folder=tmp_path / "model")
    assert bundle is not None
    assert bundle.feature_shape == (2048,)


@pytest.mark.parametrize(
    ("features", "match"),
    [
        ({"x.jpg": np.zeros(2048)}, "no photo in common"),
        ({"1000_ab.jpg": np.zeros(7), "1001_ab.jpg": np.zeros(8)}, "of one shape"),
        ({"1000_ab.jpg": np.zeros((1, 2, 2, 2, 2))}, "of one shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(brought, features, match):
    (brought / "features.p").write_bytes(pickle.dumps(features))
    with pytest.raises(FeaturesError, match=match):
        files_of(brought)


def test_features_of_an_unknown_shape_can_be_looked_at_but_not_trained_on(brought):
    features = {"1000_ab.jpg": np.zeros(77, np.float32)}
    (brought / "features.p").write_bytes(pickle.dumps(features))
    files = files_of(brought)
    assert files.encoder is None
    with pytest.raises(FeaturesError, match="known encoder"):
        take_over(files, "ours")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"name": "efficientnetlite2", "photo_size": 224}, "efficientnetlite2"),
        ({"name": "efficientnetv2b0"}, "efficientnetv2b0"),
        ({"name": "vgg16"}, None),  # its features have another shape
        ({"name": "alexnet"}, None),
    ],
)
def test_the_encoder_is_read_from_the_file_next_to_the_features(brought, facts, name):
    features = {f"{1000 + n}_ab.jpg": np.ones((49, 1280), np.float32) for n in range(40)}
    (brought / "features.p").write_bytes(pickle.dumps(features))
    (brought / "encoder.json").write_text(json.dumps({"encoder": facts, "model": None}))
    found = files_of(brought).encoder
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("name", "layer"), [(name, layer) for name, spec in ENCODERS.items() for layer in spec.layers]
)
def test_features_of_every_encoder_are_read_as_its_own(brought, tiny_bundle, name, layer):
    """What differs between encoders: the facts next to the features, and their shape."""
    config = resolve(EncoderConfig(name=name, layer=layer))[0]
    row = np.ones(feature_shape(config), np.float32)
    features = {f"{1000 + n}_ab.jpg": row.copy() for n in range(9)}
    (brought / "features.p").write_bytes(pickle.dumps(features))
    facts = _encoder_facts(dataclasses.replace(tiny_bundle, encoder=config))
    (brought / "encoder.json").write_text(json.dumps(facts))
    found = files_of(brought)
    assert found.encoder == config
    assert found.shape == feature_shape(config)


def test_what_was_written_of_a_model_with_its_own_encoder_is_read(
    tiny_bundle, tiny_captioner, shapes, tmp_path, data_home
):
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "tiny")
    write_tutorial_files(tiny_captioner, tmp_path / "out", dataset=shapes, split="train")
    files = files_of(tmp_path / "out")
    assert (files.encoder, files.encoder_from) == (tiny_bundle.encoder, "tiny")
    dataset = take_over(files, "ours")
    arrays = tiny_bundle.encoder_arrays()
    store = FeatureStore(store_folder(tiny_bundle.encoder, dataset, arrays=arrays))
    assert store.shape == tiny_bundle.feature_shape


def test_a_pickle_that_would_run_something_is_refused_and_named(brought, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    (brought / "features.p").write_bytes(pickle.dumps({"1000_ab.jpg": Trap()}))
    with pytest.raises(FeaturesError, match="system"):
        files_of(brought)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e300])
def test_features_that_are_no_numbers_are_refused_and_the_photo_is_named(brought, odd):
    features = {f"{1000 + n}_ab.jpg": np.ones(2048) for n in range(40)}
    features["1007_ab.jpg"][5] = odd
    (brought / "features.p").write_bytes(pickle.dumps(features))
    with pytest.raises(FeaturesError, match="1007_ab"):
        files_of(brought)


@pytest.mark.parametrize(
    "name", [" 1.jpg", "1.jpg#2", "a\x0b1.jpg", "a/../1.jpg", "../1.jpg", "a b.jpg"]
)
def test_odd_names_become_a_data_set_or_a_sentence(tmp_path, data_home, name):
    names = [name, "2.jpg", "3.jpg", "4.jpg"]
    lines = "".join(f"{one}\ta dog runs\n" for one in names)
    (tmp_path / "descriptions.txt").write_text(lines)
    (tmp_path / "features.p").write_bytes(pickle.dumps({one: np.ones(2048) for one in names}))
    try:
        dataset = take_over(files_of(tmp_path), "ours")
    except CaptioningError:
        assert not (data_home / "ours").exists()
    else:
        assert len(dataset) == 4
