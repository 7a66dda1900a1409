"""Encoders: what they give, how they scale pixels, and where their weights come from."""

import hashlib
import io
import threading
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from captioning.arrays import weights_of
from captioning.backend import to_numpy
from captioning.config import EncoderConfig
from captioning.encoders import (
    ENCODERS,
    EncoderSpec,
    LayerSpec,
    encoder_key,
    feature_shape,
    load_encoder,
    regions,
    register_encoder,
    registry,
    resolve,
)
from captioning.encoders.encoder import Preprocessing
from captioning.errors import BundleError, ConfigError, WeightsError
from captioning.images import as_small_copy, to_square

SHARED = Path(__file__).parents[3] / "shared"
LAYERS = [(name, layer) for name, spec in ENCODERS.items() for layer in spec.layers]
COMPACT = EncoderConfig(name="compact", input_size=32, width=4)
VGG = EncoderConfig(name="vgg16", layer="block5_pool", input_size=32)


@pytest.fixture(scope="module")
def compact():
    return load_encoder(COMPACT, random_weights=True)


@pytest.fixture(scope="module")
def vgg():
    return load_encoder(VGG, random_weights=True)


def some_pixels(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


# The registry


def test_the_encoders_are_those_of_the_design():
    assert set(ENCODERS) == {
        *(
            "compact",
            "efficientnetlite2",
            "xception",
            "vgg16",
            "efficientnetv2b0",
            "resnet50",
            "inceptionv3",
        )
    }
    assert ENCODERS["xception"].default_layer == "block13"
    assert set(ENCODERS["xception"].layers) == {"block13", "avg_pool"}
    assert set(ENCODERS["vgg16"].layers) == {"block5_conv3", "block5_pool", "fc2"}
    assert {name: spec.input_size for name, spec in ENCODERS.items()} == {
        "compact": 224,
        "efficientnetlite2": 224,
        "xception": 299,
        "vgg16": 224,
        "efficientnetv2b0": 224,
        "resnet50": 224,
        "inceptionv3": 299,
    }


def test_what_is_left_open_is_filled_in():
    config, spec = resolve(EncoderConfig(name="vgg16"))
    assert (config.layer, config.input_size) == ("block5_conv3", 224)
    assert spec is ENCODERS["vgg16"]
    chosen = EncoderConfig(name="vgg16", layer="block5_pool", input_size=96)
    assert resolve(chosen)[0] == chosen


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (EncoderConfig(name="alexnet"), "'alexnet'.*xception"),
        (EncoderConfig(name="xception", layer="block3"), "'block3'.*block13"),
        (EncoderConfig(name="vgg16", layer="fc2", input_size=96), "224.*96"),
        (EncoderConfig(name="xception", input_size=64), "71.*64"),
        (EncoderConfig(name="inceptionv3", input_size=74), "75.*74"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(config, message):
    for use in (resolve, encoder_key, lambda c: load_encoder(c, random_weights=True)):
        with pytest.raises(ConfigError, match=message):
            use(config)


def test_the_key_changes_with_whatever_changes_features(compact):
    arrays = weights_of(compact.network)
    keys = [encoder_key(EncoderConfig(name=name, layer=layer)) for name, layer in LAYERS]
    keys += [encoder_key(EncoderConfig(name="vgg16", input_size=size)) for size in (32, 64)]
    keys += [encoder_key(COMPACT, arrays), encoder_key(COMPACT)]
    for path in (next(iter(arrays)), list(arrays)[-1]):
        changed = {**arrays, path: arrays[path] + 1e-3}
        keys.append(encoder_key(COMPACT, changed))
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)


def test_the_key_does_not_change_with_how_things_are_written(compact):
    arrays = weights_of(compact.network)
    halves = {path: value.astype(np.float16) for path, value in arrays.items()}
    backwards = {path: halves[path].astype(np.float32) for path in reversed(halves)}
    assert encoder_key(COMPACT, halves) == encoder_key(COMPACT, backwards)
    spelled = EncoderConfig(name="xception", layer="block13", input_size=299)
    assert encoder_key(EncoderConfig()) == encoder_key(spelled)


# What they give


@pytest.mark.parametrize(
    ("size", "width", "shape"),
    [(32, 4, (64, 64)), (64, 8, (64, 128)), (96, 4, (36, 64)), (224, 4, (49, 64))],
)
def test_the_compact_encoder_gives_a_map_of_regions(size, width, shape):
    encoder = load_encoder(
        EncoderConfig(name="compact", input_size=size, width=width), random_weights=True
    )
    assert encoder.feature_shape == shape
    assert encoder.grid == (int(shape[0] ** 0.5),) * 2
    assert encoder.network.output.shape[1:] == shape
    assert feature_shape(encoder.config) == shape


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        ("xception", "block13", (10, 10, 1024)),
        ("vgg16", "block5_conv3", (14, 14, 512)),
        ("vgg16", "block5_pool", (7, 7, 512)),
        ("resnet50", "map", (7, 7, 2048)),
    ],
)
def test_the_layers_give_what_the_design_says(name, layer, shape):
    encoder = load_encoder(EncoderConfig(name=name, layer=layer), random_weights=True)
    assert encoder.grid == shape[:2]
    assert encoder.feature_shape == (shape[0] * shape[1], shape[2])
    assert feature_shape(encoder.config) == encoder.feature_shape


@pytest.mark.parametrize(
    ("name", "layer", "size", "shape"),
    [
        ("xception", "block13", 100, (9, 1024)),
        ("vgg16", "fc2", 224, (4096,)),
        ("inceptionv3", "map", 299, (64, 2048)),
        ("inceptionv3", "map", 75, (1, 2048)),
        ("efficientnetv2b0", "map", 225, (64, 1280)),
        ("efficientnetlite2", "map", 224, (49, 1280)),
    ],
)
def test_the_registry_knows_shapes_without_a_network(name, layer, size, shape):
    assert feature_shape(EncoderConfig(name=name, layer=layer, input_size=size)) == shape


def test_an_encoder_from_outside_is_built_and_used(monkeypatch):
    def build(config, random_weights):
        pixels = keras.Input((config.input_size, config.input_size, 3))
        return keras.Model(pixels, keras.layers.AveragePooling2D(16)(pixels))

    monkeypatch.setattr(registry, "ENCODERS", dict(ENCODERS))
    layer = LayerSpec("map", regions(lambda size: size // 16, 3))
    spec = EncoderSpec(None, None, 64, {"map": layer}, None, reference="colours", build=build)
    register_encoder("colours", spec)
    encoder = load_encoder(EncoderConfig(name="colours"))
    pixels = np.full((1, 64, 64, 3), 7, np.uint8)
    assert encoder.feature_shape == feature_shape(EncoderConfig(name="colours")) == (16, 3)
    assert (encoder.encode(pixels) == 7).all()
    with pytest.raises(ConfigError, match="already an encoder 'colours'"):
        register_encoder("colours", spec)


@pytest.mark.slow
def test_pooled_xception_is_one_vector():
    config = EncoderConfig(name="xception", layer="avg_pool", input_size=71)
    encoder = load_encoder(config, random_weights=True)
    assert encoder.feature_shape == feature_shape(config) == (2048,)
    assert encoder.grid is None
    assert encoder.encode(some_pixels(1, 71)).shape == (1, 2048)


@pytest.mark.slow
def test_features_are_the_layer_of_the_network_laid_out_in_rows(vgg):
    """The same weights in Keras' own model, fed through Keras' own preprocessing."""
    whole = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    inner = next(layer for layer in vgg.network.layers if isinstance(layer, keras.Model))
    whole.set_weights(inner.get_weights())
    pixels = some_pixels(2, 32)
    scaled = keras.applications.vgg16.preprocess_input(pixels.astype(np.float32))
    conv3 = keras.Model(whole.input, whole.get_layer("block5_pool").output)
    expected = to_numpy(conv3(scaled))
    features = vgg.encode(pixels)
    assert features.shape == (2, 1, 512)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features.reshape(expected.shape), expected, rtol=1e-3, atol=1e-5)


def test_rows_of_regions_read_like_a_page(compact):
    """Region r is at row r // width, column r % width: heat maps are drawn by it."""
    inner = keras.Model(compact.network.input, compact.network.get_layer("map").output)
    pixels = some_pixels(1, 32)
    grid = to_numpy(inner(pixels.astype(np.float32)))
    np.testing.assert_allclose(
        compact.encode(pixels).reshape(*compact.grid, -1), grid[0], atol=1e-5
    )


@pytest.mark.parametrize("name", [n for n, spec in ENCODERS.items() if spec.module])
def test_pixels_are_scaled_as_the_network_was_trained(name):
    module = ENCODERS[name].module
    pixels = some_pixels(2, 8).astype(np.float32)
    expected = getattr(keras.applications, module).preprocess_input(pixels.copy())
    np.testing.assert_allclose(to_numpy(Preprocessing(module)(pixels)), expected, atol=1e-4)
    assert pixels.max() > 200, "the pixels themselves are left alone"


def test_networks_without_a_scaling_of_ours_scale_by_themselves(compact):
    for name, spec in ENCODERS.items():
        if spec.module is None and spec.application:
            preprocess = keras.applications.efficientnet_v2.preprocess_input
            assert name == "efficientnetv2b0"
            np.testing.assert_array_equal(preprocess(np.arange(9.0)), np.arange(9.0))
    scale = compact.network.get_layer("scale")
    assert to_numpy(scale(np.array([0.0, 255.0]))).tolist() == pytest.approx([-1.0, 1.0])


@pytest.mark.parametrize("which", ["compact", "vgg"])
def test_a_batch_gives_what_its_photos_give_alone(which, request):
    encoder = request.getfixturevalue(which)
    pixels = some_pixels(3, 32)
    together = encoder.encode(pixels)
    scale = np.abs(together).max()
    assert scale > 0
    for place in range(3):
        alone = encoder.encode(pixels[place : place + 1])
        np.testing.assert_allclose(alone[0] / scale, together[place] / scale, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-4 * scale


def test_a_photo_of_any_size_becomes_a_square(compact, photo):
    for some in (photo, photo.resize((7, 300)), photo.convert("L")):
        pixels = compact.pixels(some)
        assert pixels.shape == (32, 32, 3)
        assert pixels.dtype == np.uint8


# Weights


def test_the_compact_encoder_takes_the_weights_of_a_model(compact):
    other = load_encoder(COMPACT, arrays=weights_of(compact.network))
    pixels = some_pixels(2, 32)
    np.testing.assert_allclose(other.encode(pixels), compact.encode(pixels), atol=1e-5)


def test_the_compact_encoder_has_no_weights_of_its_own(compact):
    with pytest.raises(WeightsError, match="come with a model"):
        load_encoder(COMPACT)
    arrays = weights_of(compact.network)
    arrays.pop(next(iter(arrays)))
    with pytest.raises(BundleError, match="missing"):
        load_encoder(COMPACT, arrays=arrays)


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty place for Keras' downloads, and nothing at the other end of the line."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def unreachable(*arguments, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    return folder


def expect_three_ways(caught, folder, file):
    text = str(caught.value)
    assert [line[:2] for line in text.splitlines()[1:]] == ["1.", "2.", "3."]
    assert str(folder) in text
    assert file in text
    assert "CAPTIONING_WEIGHTS" in text


@pytest.mark.parametrize("name", [name for name, spec in ENCODERS.items() if spec.application])
def test_missing_weights_name_three_ways_to_get_them(name, keras_home):
    with pytest.raises(WeightsError, match="no route to host") as caught:
        load_encoder(EncoderConfig(name=name))
    expect_three_ways(caught, keras_home, ENCODERS[name].files[0][0])
    if name == "xception":
        assert "xception_imagenet_upto_block13.weights.h5" in str(caught.value)


def test_a_network_that_swallows_everything_is_not_waited_for(keras_home, monkeypatch):
    """As behind a firewall that answers nothing: neither connecting nor looking up a name ends."""
    released, ended = threading.Event(), threading.Event()

    def swallow(*arguments, **options):
        released.wait(30)
        ended.set()
        raise OSError("much too late")

    monkeypatch.setattr("captioning.encoders.encoder.CONNECT_SECONDS", 0.05)
    monkeypatch.setattr("urllib.request.urlopen", swallow)
    with pytest.raises(WeightsError, match="did not answer within") as caught:
        load_encoder(EncoderConfig(name="vgg16"))
    assert not ended.is_set()
    released.set()
    expect_three_ways(caught, keras_home, ENCODERS["vgg16"].files[0][0])


def test_a_failed_download_is_reported_like_a_missing_network(keras_home, monkeypatch, capsys):
    """And what Keras prints meanwhile does not get between the captions."""

    def fail(*arguments, weights=None, **options):
        assert weights == "imagenet"
        print("Downloading data from somewhere")
        raise Exception("URL fetch failure on somewhere")

    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: io.BytesIO())
    monkeypatch.setattr(keras.applications, "VGG16", fail)
    with pytest.raises(WeightsError, match="URL fetch failure") as caught:
        load_encoder(EncoderConfig(name="vgg16"))
    expect_three_ways(caught, keras_home, ENCODERS["vgg16"].files[0][0])
    assert capsys.readouterr() == ("", "Downloading data from somewhere\n")


def test_a_classroom_folder_that_is_not_there_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(tmp_path / "gone"))
    with pytest.raises(WeightsError, match="gone, but there is no such folder"):
        load_encoder(EncoderConfig(name="xception"))


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_damaged_file_in_the_classroom_folder_is_named(
    tmp_path, monkeypatch, keras_home, content
):
    path = tmp_path / "vgg16_imagenet_notop.weights.h5"
    path.write_bytes(content)
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="does not contain the weights") as caught:
        load_encoder(VGG)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_weights_of_another_network_are_named_too(tmp_path, monkeypatch, keras_home, compact):
    path = tmp_path / "vgg16_imagenet_notop.weights.h5"
    compact.network.save_weights(path)
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="does not contain the weights"):
        load_encoder(VGG)


def test_the_classroom_folder_is_looked_into_first(tmp_path, monkeypatch, keras_home, vgg):
    """Before Keras' own place, where something damaged lies here, and before the network."""
    (keras_home / ENCODERS["vgg16"].files[0][0]).write_bytes(b"damaged")
    inner = next(layer for layer in vgg.network.layers if isinstance(layer, keras.Model))
    whole = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    whole.set_weights(inner.get_weights())
    whole.save_weights(tmp_path / "vgg16_imagenet_notop.weights.h5")
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(tmp_path))
    pixels = some_pixels(1, 32)
    np.testing.assert_allclose(load_encoder(VGG).encode(pixels), vgg.encode(pixels), rtol=1e-4)


def test_a_file_of_another_hash_in_keras_place_is_left_alone(keras_home):
    """Keras itself would fetch it anew and, without a network, delete it."""
    path = keras_home / ENCODERS["vgg16"].files[0][0]
    path.write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="MD5") as caught:
        load_encoder(VGG)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"half a download"


def test_a_file_of_the_right_hash_in_keras_place_is_loaded(keras_home, monkeypatch, vgg):
    inner = next(layer for layer in vgg.network.layers if isinstance(layer, keras.Model))
    whole = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    whole.set_weights(inner.get_weights())
    whole.save_weights(keras_home / "some.weights.h5")
    content = (keras_home / "some.weights.h5").read_bytes()
    files = (("some.weights.h5", hashlib.md5(content).hexdigest()), ("", ""))
    spec = ENCODERS["vgg16"]
    monkeypatch.setitem(ENCODERS, "vgg16", type(spec)(**{**vars(spec), "files": files}))
    pixels = some_pixels(1, 32)
    np.testing.assert_allclose(load_encoder(VGG).encode(pixels), vgg.encode(pixels), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="needs the ImageNet weights")
@pytest.mark.parametrize(
    ("name", "shape"), [("xception", (100, 1024)), ("efficientnetv2b0", (49, 1280))]
)
def test_the_real_weights_are_read(name, shape, monkeypatch, keras_home):
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(SHARED / "weights"))
    encoder = load_encoder(EncoderConfig(name=name))
    assert encoder.feature_shape == shape
    size = encoder.config.input_size
    features = encoder.encode(some_pixels(1, size))
    assert np.isfinite(features).all()
    # Trained batch statistics hold activations at the scale of one; fresh ones let them vanish
    # or grow with depth.
    assert 0.01 < features.std() < 10


def test_a_photo_becomes_a_small_copy_first_where_the_encoder_learned_from_such():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8))
    plain, used = (
        load_encoder(COMPACT.replace(photo_size=size), random_weights=True) for size in (None, 24)
    )
    side = int(plain.config.input_size)
    assert np.array_equal(plain.pixels(photo), to_square(photo, side))
    assert np.array_equal(used.pixels(photo), to_square(as_small_copy(photo, 24), side))
    small = photo.resize((24, 24))
    assert np.array_equal(used.pixels(small), to_square(small, side))


def test_features_of_small_copies_are_features_of_their_own():
    keys = [encoder_key(EncoderConfig(photo_size=size)) for size in (None, 0, 224, 100)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
