"""The contract that all three kinds of decoder keep."""

import keras
import numpy as np
import pytest
from keras import ops

from captioning.arrays import assign_weights, weights_of
from captioning.backend import to_numpy
from captioning.config import DECODER_KINDS, DecoderConfig, TrainingConfig
from captioning.decoders import (
    DECODERS,
    DecoderSpec,
    InjectDecoder,
    build_decoder,
    register_decoder,
)
from captioning.errors import BundleError, ConfigError
from captioning.training.batches import make_batch
from captioning.training.model import TeacherForcing, compile_for_training
from captioning.vocabulary import BOS, EOS, PAD

KINDS = ("merge", "inject", "attention")
CELLS = ("lstm", "gru")
B, N, T, R, D, E, U, V = 3, 2, 5, 4, 6, 8, 16, 20


def make(kind, *, shape=(R, D), seed=0, **settings):
    """A decoder with weights far from zero: a contract is easy to keep where nothing happens."""
    settings = {"embedding_size": E, "units": U, "heads": 2, "dropout": 0.5, **settings}
    decoder = build_decoder(
        DecoderConfig(kind=kind, **settings), vocabulary_size=V, feature_shape=shape
    )
    random = np.random.default_rng(seed)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return decoder


@pytest.fixture(
    scope="module", params=[(kind, cell) for kind in KINDS for cell in CELLS], ids="-".join
)
def decoder(request):
    kind, cell = request.param
    return make(kind, cell=cell)


@pytest.fixture(scope="module")
def other(decoder):
    """A decoder of the same kind with other weights, which tests may change."""
    return make(decoder.config.kind, cell=decoder.config.cell, seed=9)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(size=(B, R, D)).astype(np.float32)


@pytest.fixture(scope="module")
def tokens():
    tokens = np.random.default_rng(2).integers(4, V, (B, N, T)).astype(np.int32)
    tokens[:, :, 0] = BOS
    return tokens


def logits_of(decoder, features, tokens):
    return to_numpy(decoder(features, tokens))


def step_through(decoder, features, tokens):
    """Logits and attention weights word by word, as a search asks for them."""
    memory = decoder.remember(features)
    state = decoder.initial_state(memory, tokens.shape[1])
    logits, looks = [], []
    for t in range(tokens.shape[2]):
        said, state, weights = decoder.step(ops.convert_to_tensor(tokens[:, :, t]), state, memory)
        logits.append(to_numpy(said))
        looks.append(None if weights is None else to_numpy(weights))
    return np.stack(logits, axis=2), looks, [to_numpy(part) for part in state]


def test_there_are_logits_for_every_word_of_every_caption(decoder, features, tokens):
    logits = logits_of(decoder, features, tokens)
    assert logits.shape == (B, N, T, V)
    assert logits.dtype == np.float32


def test_step_by_step_says_the_same_as_teacher_forcing(decoder, features, tokens):
    stepped, _, _ = step_through(decoder, features, tokens)
    np.testing.assert_allclose(stepped, logits_of(decoder, features, tokens), atol=1e-5)


def test_the_state_after_the_last_step_is_the_one_that_read_returns(decoder, features, tokens):
    _, _, state = step_through(decoder, features, tokens)
    _, _, last = decoder.read(decoder.remember(features), ops.convert_to_tensor(tokens))
    assert len(state) == len(last) == len(decoder.config.state_names)
    for stepped, read in zip(state, last, strict=True):
        np.testing.assert_allclose(to_numpy(read), stepped.reshape(-1, U), atol=1e-5)


@pytest.mark.parametrize("extra", [1, 4])
def test_more_padding_changes_nothing_before_it(decoder, features, tokens, extra):
    longer = np.pad(tokens, [(0, 0), (0, 0), (0, extra)], constant_values=PAD)
    both = logits_of(decoder, features, longer)[:, :, :T], logits_of(decoder, features, tokens)
    np.testing.assert_allclose(*both, atol=1e-6)


def test_a_word_changes_only_what_comes_after_it(decoder, features, tokens):
    changed = tokens.copy()
    changed[:, :, 3] = np.where(tokens[:, :, 3] == 4, 5, 4)
    difference = np.abs(
        logits_of(decoder, features, changed) - logits_of(decoder, features, tokens)
    )
    assert difference[:, :, :3].max() < 1e-6
    assert (difference[:, :, 3].max(axis=-1) > 1e-3).all()


def test_captions_read_together_equal_captions_read_alone(decoder, features, tokens):
    together = logits_of(decoder, features, tokens)
    for b in range(B):
        for n in range(N):
            alone = logits_of(decoder, features[b : b + 1], tokens[b : b + 1, n : n + 1])
            np.testing.assert_allclose(alone[0, 0], together[b, n], atol=1e-5)


def test_the_photo_matters(decoder, features, tokens):
    others = logits_of(decoder, features[::-1].copy(), tokens)
    difference = np.abs(others - logits_of(decoder, features, tokens)).max(axis=(1, 2, 3))
    assert difference[0] > 1e-2
    assert difference[1] == 0  # the middle one stayed where it was
    assert difference[2] > 1e-2


def test_numbers_are_dropped_while_training_and_only_then(decoder, features, tokens):
    once, again = (to_numpy(decoder(features, tokens, training=True)) for _ in range(2))
    assert np.abs(once - again).max() > 1e-3
    np.testing.assert_array_equal(
        logits_of(decoder, features, tokens), logits_of(decoder, features, tokens)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_scaling_undoes_the_scale_of_an_encoder(kind, features, tokens):
    plain, adapted = make(kind), make(kind)
    mean = np.linspace(-50, 50, D).astype(np.float32)
    deviation = np.geomspace(0.5, 200, D).astype(np.float32)
    adapted.scaling.adapt(mean, deviation)
    expected = logits_of(plain, features, tokens)
    np.testing.assert_allclose(
        logits_of(adapted, features * deviation + mean, tokens), expected, atol=2e-3
    )
    assert np.abs(logits_of(adapted, features, tokens) - expected).max() > 0.1


def test_a_channel_that_never_changes_is_moved_and_not_scaled(other):
    scaling = other.scaling
    scaling.adapt(np.full(D, 2.0, np.float32), np.zeros(D, np.float32))
    assert to_numpy(scaling(np.full((1, D), 5.0, np.float32))).tolist() == [[3.0] * D]


def test_the_figures_of_scaling_travel_with_the_decoder_but_are_not_trained(decoder):
    trained = {variable.path for variable in decoder.trainable_variables}
    figures = {path for path in weights_of(decoder) if "scaling" in path}
    assert len(figures) == 2
    assert not figures & trained


def expected_weights(kind, cell):
    gates, biases, states = (4, 1, 2) if cell == "lstm" else (3, 2, 1)
    reads = E + U if kind == "attention" else E
    recurrent = gates * ((reads + U) * U + biases * U)
    return {
        "merge": recurrent + (D * U + U) + (U * U + U),
        "inject": recurrent + states * (D * U + U),
        "attention": recurrent
        + (D * U + U)  # regions
        + states * (U * U + U)  # first state
        + 2 * U * U  # query, key
        + (U * U + U)  # value
        + (2 * U * U + U),  # mix
    }[kind]


def test_the_number_of_weights_is_the_closed_form(decoder):
    words, config = V * E + (U * V + V), decoder.config
    assert decoder.count_params() == expected_weights(config.kind, config.cell) + words + 2 * D


def test_settings_without_a_cell_are_those_of_an_lstm():
    settings = DecoderConfig(kind="inject").to_dict()
    del settings["cell"]
    assert DecoderConfig.from_dict(settings).cell == "lstm"


def test_a_decoder_from_outside_is_built_by_its_kind(features, tokens):
    class Doubled(InjectDecoder):
        def answer(self, outputs, memory, training=False):
            return 2.0 * outputs, None

    register_decoder("doubled", DecoderSpec(network=Doubled, summary="As inject, but doubled."))
    try:
        doubled, inject = make("doubled"), make("inject")
        spoken = logits_of(doubled, features, tokens) - to_numpy(doubled.vocabulary.bias)
        plain = logits_of(inject, features, tokens) - to_numpy(inject.vocabulary.bias)
        np.testing.assert_allclose(spoken, 2 * plain, atol=1e-4)
        with pytest.raises(ConfigError, match="already a decoder 'doubled'"):
            register_decoder("doubled", DECODERS["doubled"])
    finally:
        del DECODERS["doubled"]
        DECODER_KINDS.remove("doubled")


@pytest.mark.parametrize("kind", ["merge", "inject"])
def test_pooled_features_serve_where_nothing_is_looked_at(kind, features, tokens):
    """A map of regions is read by its mean, so the mean itself says the same."""
    regions, pooled = make(kind), make(kind, shape=(D,))
    np.testing.assert_allclose(
        logits_of(pooled, features.mean(axis=1), tokens),
        logits_of(regions, features, tokens),
        atol=1e-5,
    )


def test_attention_refuses_pooled_features_with_a_way_out():
    with pytest.raises(ConfigError, match="2048.*merge or inject"):
        build_decoder(DecoderConfig(kind="attention"), vocabulary_size=V, feature_shape=(2048,))


def test_attention_weights_sum_to_one(features, tokens):
    decoder = make("attention", heads=4)
    _, attention, _ = decoder.read(decoder.remember(features), ops.convert_to_tensor(tokens))
    weights = to_numpy(attention)
    assert weights.shape == (B, N, T, R)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-5)
    assert weights.std() > 1e-3  # and they differ, so something was looked at
    _, looks, _ = step_through(decoder, features, tokens)
    np.testing.assert_allclose(np.stack(looks, axis=2), weights, atol=1e-5)


def test_attention_does_not_depend_on_the_order_of_regions(features, tokens):
    decoder, order = make("attention"), np.array([2, 0, 3, 1])
    np.testing.assert_allclose(
        logits_of(decoder, features[:, order], tokens),
        logits_of(decoder, features, tokens),
        atol=1e-5,
    )
    tokens = ops.convert_to_tensor(tokens)
    _, before, _ = decoder.read(decoder.remember(features), tokens)
    _, after, _ = decoder.read(decoder.remember(features[:, order]), tokens)
    np.testing.assert_allclose(to_numpy(after), to_numpy(before)[..., order], atol=1e-5)


def test_kinds_without_attention_say_so(features, tokens):
    for kind in ("merge", "inject"):
        decoder = make(kind)
        memory = decoder.remember(features)
        assert decoder.read(memory, ops.convert_to_tensor(tokens))[1] is None


def test_in_merge_the_lstm_never_sees_the_photo(features, tokens):
    merge = make("merge")
    states = [step_through(merge, some, tokens)[2][0] for some in (features, features * 2)]
    np.testing.assert_array_equal(*states)
    inject = make("inject")
    states = [step_through(inject, some, tokens)[2][0] for some in (features, features * 2)]
    assert np.abs(states[0] - states[1]).max() > 1e-3


def test_two_decoders_of_one_kind_name_their_weights_alike(decoder, other):
    arrays = weights_of(decoder)
    assert list(weights_of(other)) == list(arrays)
    assign_weights(other, arrays, source="here")
    for path, value in weights_of(other).items():
        np.testing.assert_array_equal(value, arrays[path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, path: arrays.pop(path), "missing"),
        (lambda arrays, path: arrays.update(extra=arrays[path]), "extra is not expected"),
        (lambda arrays, path: arrays.update({path: arrays[path][:-1]}), "shape"),
        (lambda arrays, path: arrays.update({path: arrays[path] * np.nan}), "not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_named(decoder, other, change, message):
    arrays = dict(weights_of(decoder))
    path = next(path for path in arrays if "embedding" in path)
    change(arrays, path)
    with pytest.raises(BundleError, match=message) as caught:
        assign_weights(other, arrays, source="some file")
    assert "some file" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("attention", "lstm"),
        pytest.param("merge", "lstm", marks=pytest.mark.slow),
        pytest.param("inject", "lstm", marks=pytest.mark.slow),
        pytest.param("attention", "gru", marks=pytest.mark.slow),
    ],
)
def test_one_batch_can_be_learnt_by_heart(kind, cell, features):
    keras.utils.set_random_seed(0)
    config = TrainingConfig(
        decoder=DecoderConfig(
            kind=kind, cell=cell, embedding_size=E, units=U, heads=2, dropout=0.0
        ),
        learning_rate=0.03,
        warmup_steps=0,
        label_smoothing=0.0,
        weight_decay=0.0,
        schedule="constant",
    )
    decoder = build_decoder(config.decoder, vocabulary_size=V, feature_shape=(R, D))
    rows = np.full((B, 1, T + 2), PAD, np.int32)
    rows[:, 0, 0] = BOS
    for b in range(B):  # every photo another sentence, of another length
        rows[b, 0, 1 : 4 + b] = np.random.default_rng(b).integers(4, V, 3 + b)
        rows[b, 0, 4 + b] = EOS
    model = TeacherForcing(decoder, None, label_smoothing=0.0)
    compile_for_training(model, config, steps=120)
    batch = make_batch(features, rows)
    first = model.learn(batch)
    losses = [model.learn(batch) for _ in range(119)]
    assert first > 2.0
    assert losses[-1] < 0.1
    assert model.loss_of(batch) < 0.1
