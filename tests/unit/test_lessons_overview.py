"""The overview: shapes of the live model, for every kind of decoder."""

from types import SimpleNamespace

import numpy as np
import pytest

from captioning.config import DecoderConfig, EncoderConfig
from captioning.decoders import build_decoder
from captioning.encoders import load_encoder
from captioning.lessons.overview import anatomy_of

VOCABULARY = 33


@pytest.fixture(scope="module")
def encoder():
    config = EncoderConfig(name="compact", input_size=32, width=4)
    return load_encoder(config, random_weights=True)


def anatomy(encoder, kind, features):
    config = DecoderConfig(kind=kind, embedding_size=8, units=16, heads=2, max_length=5)
    decoder = build_decoder(config, vocabulary_size=VOCABULARY, feature_shape=features.shape[1:])
    return anatomy_of(SimpleNamespace(keras_decoder=decoder, keras_encoder=encoder), features)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "memory", "read"),
    [("attention", (64, 2, 8), 24), ("inject", (16,), 8), ("merge", (16,), 8)],
)
def test_every_tensor_has_the_shape_its_decoder_gives_it(encoder, kind, memory, read):
    found = anatomy(encoder, kind, np.zeros((1, *encoder.feature_shape), np.float32))
    assert found.tensor("pixels").shape == (32, 32, 3)
    assert found.tensor("features").shape == encoder.feature_shape == (64, 64)
    assert found.tensor("photo memory").shape == memory
    assert found.tensor("word vector").shape == (8,)
    assert found.tensor("LSTM input").shape == (read,)
    assert found.tensor("LSTM state").shape == (16,)
    assert found.tensor("word scores").shape == (VOCABULARY,)
    assert [spec.height for spec in found.maps][-1] == 8
    if kind == "attention":
        assert found.tensor("attention weights").shape == (64,)
    else:
        with pytest.raises(LookupError, match="attention weights"):
            found.tensor("attention weights")


def test_weights_are_counted(encoder):
    found = anatomy(encoder, "inject", np.zeros((1, 64, 64), np.float32))
    kernel, recurrent, bias = 8 * 64, 16 * 64, 64
    first = 2 * (64 * 16 + 16)
    scaling = 2 * 64
    expected = VOCABULARY * 8 + kernel + recurrent + bias + first + 16 * VOCABULARY + VOCABULARY
    assert found.decoder_weights == expected + scaling
    assert found.encoder_weights == encoder.network.count_params()


@pytest.mark.parametrize("kind", ["inject", "merge"])
def test_pooled_features_have_no_regions(encoder, kind):
    found = anatomy(encoder, kind, np.zeros((1, 50), np.float32))
    assert found.tensor("features").shape == (50,)
    assert "whole" in found.tensor("features").meaning


def test_sizes_read_as_people_write_them(encoder):
    found = anatomy(encoder, "attention", np.zeros((1, 64, 64), np.float32))
    assert found.tensor("pixels").size == "32 × 32 × 3"
