"""The ONNX graphs, held to the Keras networks that they write a second time."""

from functools import cache

import numpy as np
import pytest

from captioning.arrays import weights_of
from captioning.backend import to_numpy
from captioning.bundle import find_bundles
from captioning.config import DecoderConfig, EncoderConfig
from captioning.decoders import build_decoder
from captioning.encoders import load_encoder
from captioning.errors import BundleError, ConfigError
from captioning.inference.decoder_graphs import memory_graph, step_graph
from captioning.inference.encoder_graphs import compact_graph
from captioning.inference.keras_decoder import KerasDecoder
from captioning.inference.loading import (
    WeightsFile,
    compact_shapes,
    decoder_shapes,
    open_decoder,
    open_encoder,
)
from captioning.inference.onnx_networks import (
    OnnxDecoder,
    OnnxEncoder,
    cached_session,
    open_session,
)
from captioning.vocabulary import BOS

pytestmark = pytest.mark.usefixtures("eagerly")  # a few steps each, of a dozen decoders

KINDS = ("merge", "inject", "attention", "merge gru", "inject gru", "attention gru")
B, K, R, D, V = 3, 2, 4, 6, 20
SAYABLE = slice(3, None)


def config_of(kind):
    kind, _, cell = kind.partition(" ")
    sizes = {"embedding_size": 8, "units": 16, "heads": 2, "max_length": 7}
    return DecoderConfig(kind=kind, cell=cell or "lstm", dropout=0.0, **sizes)


@cache
def shaken(kind, shape):
    random = np.random.default_rng(0)
    decoder = build_decoder(config_of(kind), vocabulary_size=V, feature_shape=shape)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.7, variable.shape))
    decoder.scaling.adapt(random.normal(size=D), random.uniform(0.5, 2.0, D))
    return decoder


def by_onnx(config, arrays, shape, words):
    return OnnxDecoder(
        open_session(memory_graph(config, arrays, shape)),
        open_session(step_graph(config, arrays)),
        max_length=config.max_length,
        vocabulary_size=words,
    )


def read(model, features, tokens, *, top=None):
    """Let a model read captions `(B, K, T)`, word by word; returns the steps."""
    begun = model.begin(features)
    state, rows, steps = begun.state, np.repeat(np.arange(len(tokens)), tokens.shape[1]), []
    for t in range(tokens.shape[2]):
        steps.append(model.step(begun.memory, state, rows, tokens[:, :, t], top=top))
        state, rows = steps[-1].state, np.arange(tokens[:, :, 0].size)
    return steps


@pytest.fixture(scope="module", params=[(R, D), (D,)], ids=["regions", "pooled"])
def shape(request):
    return request.param


@pytest.fixture(scope="module", params=KINDS)
def pair(request, shape):
    """A decoder by Keras and by ONNX Runtime, and photos and captions for it."""
    if request.param.startswith("attention") and len(shape) == 1:
        pytest.skip("attention needs regions")
    decoder, random = shaken(request.param, shape), np.random.default_rng(1)
    features = random.normal(size=(B, *shape)).astype(np.float32)
    tokens = random.integers(3, V, (B, K, 5))
    tokens[:, :, 0] = BOS
    graphs = by_onnx(decoder.config, weights_of(decoder), shape, V)
    return KerasDecoder(decoder), graphs, features, tokens


def test_a_graph_reads_as_its_keras_decoder_reads(pair):
    keras_decoder, graphs, features, tokens = pair
    logits = to_numpy(keras_decoder.network(features, tokens)).astype(np.float64)[..., SAYABLE]
    expected = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    for model in (keras_decoder, graphs):
        steps = read(model, features, tokens)
        found = np.stack([step.log_probs for step in steps], axis=2)
        np.testing.assert_allclose(found[..., SAYABLE], expected, rtol=1e-5, atol=1e-5)
        assert found[..., :3].max() < -1e8  # what cannot be said


def test_attention_is_the_same_and_sums_to_one(pair):
    keras_decoder, graphs, features, tokens = pair
    for theirs, ours in zip(*(read(m, features, tokens) for m in pair[:2]), strict=True):
        if keras_decoder.network.config.kind != "attention":
            assert ours.attention is theirs.attention is None
        else:
            np.testing.assert_allclose(ours.attention, theirs.attention, atol=1e-5)
            np.testing.assert_allclose(ours.attention.sum(axis=-1), 1.0, atol=1e-5)


def test_the_likeliest_words_are_the_best_of_all(pair):
    for model in pair[:2]:
        whole = read(model, *pair[2:])
        for step, best in zip(whole, read(model, *pair[2:], top=4), strict=True):
            order = np.argsort(-step.log_probs, axis=-1, kind="stable")[:, :, :4]
            assert (best.words == order).all()
            expected = np.take_along_axis(step.log_probs, order, axis=-1)
            np.testing.assert_allclose(best.log_probs, expected, atol=1e-6)


def test_a_caption_goes_on_from_the_row_it_names(pair):
    """Two captions change places; each must go on as it would have alone."""
    for model in pair[:2]:
        features, tokens = pair[2:]
        begun = model.begin(features)
        rows = np.repeat(np.arange(B), K)
        state = model.step(begun.memory, begun.state, rows, tokens[:, :, 1], top=None).state
        plain = model.step(begun.memory, state, np.arange(B * K), tokens[:, :, 2], top=None)
        swapped = np.arange(B * K).reshape(B, K)[:, ::-1].ravel()
        turned = model.step(begun.memory, state, swapped, tokens[:, ::-1, 2], top=None)
        np.testing.assert_allclose(turned.log_probs[:, ::-1], plain.log_probs, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_arrays_of_a_decoder_are_known_without_keras(kind):
    decoder = shaken(kind, (R, D))
    shapes = decoder_shapes(config_of(kind), vocabulary_size=V, feature_shape=(R, D))
    assert shapes == {path: value.shape for path, value in weights_of(decoder).items()}


@pytest.mark.parametrize("size", [33, 64, 96])
def test_the_compact_encoder_is_the_same_by_its_graph(size):
    random = np.random.default_rng(2)
    config = EncoderConfig(name="compact", input_size=size, width=4)
    encoder = load_encoder(config, random_weights=True)
    for variable in encoder.network.weights:
        spread = any(part in variable.path for part in ("variance", "gamma"))
        values = random.uniform(0.5, 1.5, variable.shape) if spread else None
        variable.assign(random.normal(0, 0.3, variable.shape) if values is None else values)
    arrays = weights_of(encoder.network)
    assert compact_shapes(encoder.config) == {path: a.shape for path, a in arrays.items()}
    by_graph = OnnxEncoder(encoder.config, open_session(compact_graph(encoder.config, arrays)))
    assert (by_graph.feature_shape, by_graph.grid) == (encoder.feature_shape, encoder.grid)
    pixels = random.integers(0, 256, (2, size, size, 3)).astype(np.uint8)
    expected = encoder.encode(pixels)
    np.testing.assert_allclose(
        by_graph.encode(pixels), expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.slow
def test_efficientnetlite2_is_the_same_by_its_graph():
    encoder = load_encoder(EncoderConfig(name="efficientnetlite2", input_size=64))
    by_graph = open_encoder(encoder.config)
    assert (by_graph.feature_shape, by_graph.grid) == (encoder.feature_shape, encoder.grid)
    pixels = np.random.default_rng(2).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    np.testing.assert_allclose(by_graph.encode(pixels), encoder.encode(pixels), atol=5e-4)


def test_a_graph_is_written_once_and_again_if_it_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    config, writes = EncoderConfig(name="compact", input_size=32, width=4), []
    arrays = weights_of(load_encoder(config, random_weights=True).network)

    def write():
        writes.append(1)
        return compact_graph(config, arrays)

    for _ in range(2):
        cached_session("some-graph", write)
    assert len(writes) == 1
    (file,) = (tmp_path / "cache" / "graphs").iterdir()
    file.write_bytes(b"not a graph")
    for _ in range(2):
        cached_session("some-graph", write)
    assert len(writes) == 2


def test_a_graph_is_used_also_where_it_cannot_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "file"))
    decoder = shaken("merge", (D,))
    weights = WeightsFile(tmp_path / "file", lambda: weights_of(decoder))
    model = open_decoder(decoder.config, weights, vocabulary_size=V, feature_shape=(D,))
    begun = model.begin(np.zeros((1, D), np.float32))
    step = model.step(begun.memory, begun.state, np.zeros(1), np.array([[BOS]]), top=2)
    assert step.words.shape == (1, 1, 2)


def test_arrays_of_another_decoder_are_refused(tmp_path):
    (tmp_path / "decoder").write_bytes(b"1")
    weights = WeightsFile(tmp_path / "decoder", lambda: weights_of(shaken("merge", (D,))))
    sizes = {"vocabulary_size": V, "feature_shape": (D,)}
    with pytest.raises(BundleError, match="should have shape"):
        open_decoder(config_of("merge"), weights, vocabulary_size=V + 1, feature_shape=(D,))
    with pytest.raises(BundleError, match="expected"):
        open_decoder(config_of("inject"), weights, **sizes)
    with pytest.raises(ConfigError, match="map of regions"):
        open_decoder(config_of("attention"), weights, **sizes)


SHIPPED = [bundle for bundle in find_bundles() if bundle.folder.parent.name == "models"]


@pytest.mark.slow
@pytest.mark.parametrize("bundle", SHIPPED, ids=lambda bundle: bundle.name)
def test_shipped_decoders_are_the_same_by_their_graphs(bundle):
    from captioning.arrays import assign_weights

    words, random = len(bundle.vocabulary), np.random.default_rng(3)
    decoder = build_decoder(
        bundle.decoder, vocabulary_size=words, feature_shape=bundle.feature_shape
    )
    arrays = bundle.decoder_arrays()
    assign_weights(decoder, arrays, source=bundle.name)
    graphs = by_onnx(bundle.decoder, arrays, bundle.feature_shape, words)
    features = np.abs(random.normal(size=(2, *bundle.feature_shape))).astype(np.float32)
    tokens = random.integers(3, words, (2, 1, 6))
    tokens[:, :, 0] = BOS
    both = [read(model, features, tokens) for model in (KerasDecoder(decoder), graphs)]
    for theirs, ours in zip(*both, strict=True):
        np.testing.assert_allclose(
            ours.log_probs[..., SAYABLE], theirs.log_probs[..., SAYABLE], atol=2e-5
        )
