"""A search that runs a Keras decoder: its step is compiled once and follows its weights."""

import numpy as np
import pytest
from keras import ops

from captioning.config import DecoderConfig, DecodingConfig
from captioning.decoders import build_decoder
from captioning.decoding import CaptionSearch
from captioning.inference.keras_decoder import KerasDecoder
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary

R, D, LENGTH = 4, 6, 7
WORDS = "ant bee cat dog emu fox gnu hen".split()
VOCABULARY = Vocabulary([*SPECIAL, *WORDS])
GREEDY = DecodingConfig(beam_width=1)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(size=(3, R, D)).astype(np.float32)


@pytest.fixture
def decoder():
    config = DecoderConfig(
        kind="attention", embedding_size=8, units=16, heads=2, dropout=0.0, max_length=LENGTH
    )
    built = build_decoder(config, vocabulary_size=len(VOCABULARY.words), feature_shape=(R, D))
    shake(built, 0)
    return built


@pytest.fixture
def search(decoder):
    return CaptionSearch(KerasDecoder(decoder), vocabulary=VOCABULARY)


@pytest.fixture
def compilations(decoder, search, monkeypatch):
    """One entry for each time the decoder's step is traced."""
    traces, step = [], decoder.step
    monkeypatch.setattr(decoder, "step", lambda *a: traces.append(1) or step(*a))
    return traces


def shake(decoder, seed):
    random = np.random.default_rng(seed)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.7, variable.shape))


def greedily(decoder, photo):
    """The ids of the likeliest words, by reading the whole sentence again for each of them."""
    words = []
    while len(words) < LENGTH and EOS not in words:
        logits = np.array(decoder(photo[None], np.array([[[BOS, *words]]], np.int32)))[0, 0, -1]
        logits[[PAD, UNK, BOS]] = -np.inf
        words.append(int(logits.argmax()))
    return tuple(word for word in words if word != EOS)


def test_a_search_follows_weights_that_change(decoder, search, features):
    sentences = []
    for seed in (2, 4):
        shake(decoder, seed)
        sentences.append([found[0].ids for found in search.search(features[:1], GREEDY)])
        assert sentences[-1] == [greedily(decoder, features[0])]
    assert sentences[0] != sentences[1]


@pytest.mark.slow
def test_a_step_is_compiled_once_whatever_the_settings(search, features, compilations):
    def everything(features):
        for temperature, top_k, top_p, seed in [(1, 0, 1, 0), (2, 3, 0.5, 1), (0.5, 9, 0.9, 2)]:
            drawing = DecodingConfig(
                strategy="sample", temperature=temperature, top_k=top_k, top_p=top_p, seed=seed
            )
            search.search(features, drawing)
        for length_penalty in (0.0, 1.0):
            search.search(features, DecodingConfig(beam_width=2, length_penalty=length_penalty))

    everything(features)
    everything(features[:2])  # another size may be compiled for, and then any size
    compiled = len(compilations)
    assert compiled > 0
    for some in (features * 2, features[:1], np.concatenate([features, features])):
        everything(some)
    assert len(compilations) == compiled


def test_other_words_compile_nothing_again(search, features, compilations):
    beam = DecodingConfig(beam_width=3)
    sample = DecodingConfig(strategy="sample", samples=4, temperature=2.0)

    def steer(words):
        for word in words:
            search.search(features, beam.replace(required_words=(word,)))
            search.search(features, beam.replace(banned_words=(word,)))
            search.search(features, beam.replace(prefix=(word, "ant")))
            search.search(features, sample.replace(banned_words=(word,), prefix=("ant",)))

    steer(WORDS[1:2])
    compiled = len(compilations)
    assert compiled > 0
    steer(WORDS[2:5])
    assert len(compilations) == compiled


def test_features_may_be_tensors(search, features):
    config = DecodingConfig(beam_width=3)
    assert search.search(ops.convert_to_tensor(features), config) == search.search(features, config)


def test_captions_are_sampled_by_their_probabilities(decoder, features):
    model = KerasDecoder(decoder)
    draws = np.random.default_rng(3).random((LENGTH, 3, 200), np.float32)
    tokens = model.sample(features, draws)
    assert not np.isin(tokens, [PAD, UNK, BOS]).any()
    logits = np.array(decoder(features, np.full((3, 1, 1), BOS, np.int32)))[:, 0, 0]
    logits[:, [PAD, UNK, BOS]] = -np.inf
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    places = [np.searchsorted(np.cumsum(s), d) for s, d in zip(shares, draws[0], strict=True)]
    np.testing.assert_array_equal(tokens[0], places)
    # Each caption continues from its own words.
    for caption in range(3):
        first = tokens[0, 1, caption]
        logits = np.array(decoder(features[1:2], np.array([[[BOS, first]]], np.int32)))[0, 0, 1]
        logits[[PAD, UNK, BOS]] = -np.inf
        shares = np.exp(logits) / np.exp(logits).sum()
        assert tokens[1, 1, caption] == np.searchsorted(np.cumsum(shares), draws[1, 1, caption])


@pytest.mark.parametrize("draw", [0.0, 1 - 2**-24])
def test_the_rarest_draws_are_words(draw, decoder, features):
    tokens = KerasDecoder(decoder).sample(features, np.full((LENGTH, 3, 5), draw))
    assert tokens.min() >= EOS
