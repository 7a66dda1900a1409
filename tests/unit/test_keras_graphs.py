"""The graphs of `keras.applications`, held to the Keras networks that they are written from."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from captioning.arrays import weights_of
from captioning.backend import to_numpy
from captioning.bundle import read_bundle
from captioning.captioner import Captioner
from captioning.config import EncoderConfig
from captioning.decoders import build_decoder
from captioning.encoders import ENCODERS, Encoder, EncoderSpec, LayerSpec, load_encoder, regions
from captioning.encoders.encoder import load_application
from captioning.images import read_image
from captioning.inference.keras_decoder import KerasDecoder
from captioning.inference.keras_graphs import application_graph
from captioning.inference.loading import HeldWeights, open_encoder
from captioning.inference.onnx_networks import OnnxEncoder, open_session

SHARED = Path(__file__).parents[3] / "shared"
SMALL = EncoderConfig(name="efficientnetv2b0", input_size=33)


def some_pixels(count, size):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def shaken(network):
    """Give a network statistics and biases as a trained one has."""
    random = np.random.default_rng(1)
    for variable in network.weights:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean", "bias")):
            variable.assign(random.normal(0, 0.1, variable.shape))
    return network


def expect_the_same(network, module, size):
    pixels = some_pixels(2, size)
    scaled = pixels.astype(np.float32)
    if module is not None:
        scaled = getattr(keras.applications, module).preprocess_input(scaled)
    expected = to_numpy(network(scaled))
    session = open_session(application_graph(network, module))
    (found,) = session.run(["features"], {"pixels": pixels})
    if expected.ndim == 4:
        expected = expected.reshape(2, -1, expected.shape[-1])
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 1e-6
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("efficientnetv2b0", "map", 33),
        ("xception", "block13", 71),
        ("vgg16", "block5_conv3", 32),
        pytest.param("xception", "avg_pool", 72, marks=pytest.mark.slow),
        pytest.param("vgg16", "block5_pool", 40, marks=pytest.mark.slow),
        pytest.param("resnet50", "map", 40, marks=pytest.mark.slow),
        pytest.param("inceptionv3", "map", 76, marks=pytest.mark.slow),
    ],
)
def test_a_network_is_the_same_by_its_graph(name, layer, size):
    config = EncoderConfig(name=name, layer=layer, input_size=size)
    network = load_application(config, random_weights=True)
    expect_the_same(shaken(network), ENCODERS[name].module, size)


@pytest.mark.slow
def test_the_fully_connected_layers_of_vgg16_are_the_same():
    vgg = keras.applications.VGG16(
        weights=None, include_top=True, input_shape=(32, 32, 3), classes=2
    )
    expect_the_same(keras.Model(vgg.input, vgg.get_layer("fc2").output), "vgg16", 32)


def network_of(*parts, size=12):
    """Return a network of parts in a row; those in a tuple all read the same and are joined."""
    pixels = x = keras.Input((size, size, 3))
    for part in parts:
        if isinstance(part, tuple):
            join, *branches = part
            x = join([branch(x) for branch in branches])
        else:
            x = part(x)
    return keras.Model(pixels, x)


def test_layers_that_only_some_networks_have_are_the_same():
    network = network_of(
        layers.Conv2D(4, (1, 7), padding="same", use_bias=True),
        layers.BatchNormalization(scale=False),
        layers.ReLU(max_value=0.3),
        (layers.Concatenate(), layers.AveragePooling2D(3, 1, "same"), layers.Activation("silu")),
        layers.ZeroPadding2D(1),
        layers.DepthwiseConv2D(3, strides=2, padding="valid", activation="sigmoid"),
        layers.Dropout(0.5),
    )
    expect_the_same(shaken(network), None, 12)


def test_fully_connected_layers_are_the_same():
    network = network_of(
        layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(6, activation="relu"), layers.Dense(3)
    )
    expect_the_same(shaken(network), "vgg16", 12)


def test_a_convolution_that_is_read_twice_keeps_its_own_output():
    """Its batch normalisation must not be folded into it: the sum needs it as it is."""
    network = network_of(
        layers.Conv2D(4, 3),
        (layers.Add(), layers.BatchNormalization(), layers.Activation("relu")),
    )
    with pytest.raises(NotImplementedError, match="BatchNormalization"):
        application_graph(shaken(network), None)


@pytest.mark.parametrize(
    "layer",
    [
        layers.LeakyReLU(),
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.Conv2D(4, 3, activation="gelu"),
        layers.ZeroPadding2D(((1, 1), (0, 0))),
    ],
    ids=lambda layer: layer.name,
)
def test_a_layer_that_no_graph_can_be_written_for_is_named(layer):
    with pytest.raises(NotImplementedError, match=layer.name):
        application_graph(network_of(layer), None)


@pytest.fixture(scope="module")
def weights_folder(tmp_path_factory):
    """A folder with a file of weights of a small EfficientNetV2B0."""
    folder = tmp_path_factory.mktemp("weights")
    network = keras.applications.EfficientNetV2B0(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    shaken(network).save_weights(folder / "efficientnetv2b0_imagenet_notop.weights.h5")
    return folder


@pytest.fixture
def places(weights_folder, tmp_path, monkeypatch):
    """Name the folder of weights and an empty data folder."""
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(weights_folder))
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "data"))


@pytest.mark.slow
def test_features_are_those_of_keras(places):
    found, expected = open_encoder(SMALL), load_encoder(SMALL)
    assert isinstance(found, OnnxEncoder)
    assert (found.feature_shape, found.grid) == (expected.feature_shape, expected.grid)
    pixels = some_pixels(9, 33)
    values = expected.encode(pixels)
    np.testing.assert_allclose(found.encode(pixels), values, atol=1e-5 * np.abs(values).max())


@pytest.mark.slow
def test_a_network_without_a_graph_runs_in_keras(places, monkeypatch):
    def unknown(network, module):
        raise NotImplementedError

    monkeypatch.setattr("captioning.inference.keras_graphs.application_graph", unknown)
    assert isinstance(open_encoder(SMALL), Encoder)


def test_a_registered_encoder_runs_in_keras(monkeypatch):
    def build(config, random_weights):
        return network_of(layers.AveragePooling2D(8), layers.Conv2D(2, 1, name="mix"), size=32)

    layer = LayerSpec("map", regions(lambda size: size // 8, 2))
    spec = EncoderSpec(None, None, 32, {"map": layer}, None, "a test", 1, True, build)
    monkeypatch.setitem(ENCODERS, "colours", spec)
    arrays = {"mix/kernel": np.ones((1, 1, 3, 2)), "mix/bias": np.zeros(2)}
    encoder = open_encoder(EncoderConfig(name="colours"), HeldWeights(arrays))
    assert encoder.feature_shape == (16, 2)
    np.testing.assert_allclose(encoder.encode(np.full((1, 32, 32, 3), 5, np.uint8)), 15.0)


@pytest.mark.slow
def test_the_second_caption_needs_no_tensorflow(places, write_tiny_bundle, tiny_bundle, tmp_path):
    photo = tmp_path / "photo.png"
    keras.utils.save_img(photo, some_pixels(1, 40)[0])
    decoder = build_decoder(
        tiny_bundle.decoder, vocabulary_size=len(tiny_bundle.vocabulary), feature_shape=(4, 1280)
    )
    bundle = write_tiny_bundle(
        tmp_path / "model",
        encoder=SMALL,
        feature_shape=(4, 1280),
        decoder_arrays=weights_of(decoder),
        encoder_arrays=None,
    )
    script = (
        "import sys; from captioning import Captioner; "
        "print(Captioner.load(sys.argv[1]).caption(sys.argv[2]).text); "
        "print(sorted({'keras', 'tensorflow', 'onnx'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, str(bundle.folder), str(photo)]
    first, second = (
        subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert first.stdout.splitlines()[0] == second.stdout.splitlines()[0]
    assert second.stdout.splitlines()[1] == "[]"
    assert len(list((tmp_path / "data" / "cache" / "graphs").glob("*-encoder.onnx"))) == 1


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="needs the real weights")
@pytest.mark.parametrize("model", ["flickr8k-efficientnet", "flickr8k-xception"])
def test_captions_are_those_of_keras_with_real_weights(model, monkeypatch):
    monkeypatch.setenv("CAPTIONING_WEIGHTS", str(SHARED / "weights"))
    captioner = Captioner.load(read_bundle(model).folder)
    assert isinstance(captioner.encoder, OnnxEncoder)
    by_keras = Captioner(
        captioner.bundle, KerasDecoder(captioner.keras_decoder), captioner.keras_encoder
    )
    for path in sorted((SHARED / "photos").glob("*.jpg"))[:8]:
        photo = read_image(path)
        assert captioner.caption(photo).text == by_keras.caption(photo).text
