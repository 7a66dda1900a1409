"""Learning from other models beside the true captions."""

import shutil

import numpy as np
import pytest

from captioning.arrays import assign_weights
from captioning.backend import to_numpy
from captioning.bundle import read_bundle
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig, TrainingConfig
from captioning.decoders import build_decoder
from captioning.errors import BundleError, ConfigError
from captioning.features import FeatureStore, fitted, store_folder
from captioning.training import train
from captioning.training.model import TeacherForcing
from captioning.training.recipe import prepare
from captioning.vocabulary import UNK

pytestmark = pytest.mark.slow

CONFIG = TrainingConfig(
    name="pupil",
    data="shapes",
    encoder=EncoderConfig(name="compact", input_size=32, width=4),
    encoder_from="first",
    decoder=DecoderConfig(
        kind="attention", embedding_size=8, units=16, heads=2, dropout=0.0, max_length=12
    ),
    decoding=DecodingConfig(beam_width=2),
    min_count=1,
    epochs=1,
    images_per_batch=6,
    limit_images=12,
    score_images=2,
    warmup_steps=2,
    label_smoothing=0.0,
)


@pytest.fixture
def teachers(data_home, tiny_bundle, write_tiny_bundle, shapes):
    """Two models of random weights, the second with fewer words."""
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "first")
    for name, count in (("second", 1), ("third", 8)):
        learned = CONFIG.replace(name=name, min_count=count)
        train(learned, shapes, bundle_folder=data_home / "models" / name)
    return ("second", "third")


def expected_by_hand(name, shapes, vocabulary, batch, photos):
    """Ask a bundle's decoder itself, and lay its answers out over another vocabulary."""
    bundle = read_bundle(name)
    decoder = build_decoder(
        bundle.decoder,
        vocabulary_size=len(bundle.vocabulary),
        feature_shape=bundle.feature_shape,
    )
    assign_weights(decoder, bundle.decoder_arrays(), source=name)
    encoder = fitted(bundle.encoder, shapes)
    store = FeatureStore(store_folder(encoder, shapes, arrays=bundle.encoder_arrays()))
    words = [vocabulary.words[i] for i in batch.tokens.reshape(-1)]
    tokens = np.array([bundle.vocabulary.id(word) for word in words]).reshape(batch.tokens.shape)
    logits = to_numpy(decoder(store.of(photos).astype(np.float32), tokens))
    odds = np.exp(logits.reshape(-1, logits.shape[-1])[batch.places].astype(np.float64))
    odds /= odds.sum(axis=1, keepdims=True)
    found = np.zeros((len(batch.places), len(vocabulary)))
    for place, word in enumerate(bundle.vocabulary.words):
        found[:, vocabulary.id(word)] += odds[:, place]
    return found


def test_a_batch_holds_the_mean_of_what_the_teachers_expect(teachers, shapes):
    prepared = prepare(CONFIG.replace(teachers=teachers), shapes)
    trainer, indices = prepared.trainer, np.array([3, 0, 5])
    # Of a crop or a mirror image the teachers see the whole photo.
    shown = indices + len(prepared.inputs.train_photos)
    batch = trainer.batch(shown, trainer.train_data.photos(indices))
    photos = [prepared.inputs.train_photos[i].name for i in indices]
    by_hand = [
        expected_by_hand(name, shapes, trainer.vocabulary, batch, photos) for name in teachers
    ]
    assert (by_hand[1][:, UNK] > by_hand[0][:, UNK]).all()  # it has fewer words
    np.testing.assert_allclose(batch.expected.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(batch.expected, np.mean(by_hand, axis=0), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_loss_weighs_teachers_against_true_words(share):
    random = np.random.default_rng(0)
    logits = random.normal(size=(7, 5)).astype(np.float32)
    expected = random.dirichlet(np.ones(5), 7).astype(np.float32)
    targets, weights = random.integers(0, 5, 7), random.random(7).astype(np.float32)
    decoder = build_decoder(CONFIG.decoder, vocabulary_size=5, feature_shape=(4, 64))
    model = TeacherForcing(decoder, None, label_smoothing=0.2, teacher_share=share)
    found = model.compute_loss({"expected": expected}, targets, logits, weights)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    true = np.full((7, 5), 0.2 / 5) + 0.8 * np.eye(5)[targets]
    wanted = (1 - share) * true + share * expected
    by_hand = -(weights[:, None] * wanted * log_probs).sum()
    assert float(to_numpy(found)) == pytest.approx(by_hand, rel=1e-5)
    # On dev there are no teachers: its loss is that of the true words.
    plain = model.compute_loss({}, targets, logits, weights, training=False)
    true_words = -(weights * log_probs[np.arange(7), targets]).sum()
    assert float(to_numpy(plain)) == pytest.approx(true_words, rel=1e-5)


def test_a_pupil_comes_to_answer_as_its_teacher(teachers, shapes):
    config = CONFIG.replace(
        teachers=teachers[:1],
        teacher_share=1.0,
        epochs=40,
        learning_rate=0.02,
        decoder={**CONFIG.decoder.to_dict(), "units": 24},
    )
    trainer = prepare(config, shapes).trainer
    trainer.prepare()
    indices = np.arange(6)
    batch = trainer.batch(indices, trainer.train_data.photos(indices))
    entropy = -(batch.weights[:, None] * batch.expected * np.log(batch.expected + 1e-9)).sum()
    losses = [trainer.model.learn(batch) for _ in range(60)]
    # Nothing comes below the teacher's own entropy.
    assert losses[0] - entropy > 3 * (losses[-1] - entropy) > 0


def test_teachers_belong_to_true_captions(teachers, shapes):
    with pytest.raises(ConfigError, match="Teachers work only with cross_entropy"):
        prepare(CONFIG.replace(teachers=teachers, objective="self_critical"), shapes)
    with pytest.raises(BundleError, match="nobody"):
        prepare(CONFIG.replace(teachers=("nobody",)), shapes)
