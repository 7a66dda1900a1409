"""Training: what a step reads, what it minimises, and that a stopped run goes on unchanged."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from captioning.augmentation import views
from captioning.backend import to_numpy
from captioning.captioner import Captioner
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig, TrainingConfig
from captioning.datasets import CaptionDataset, load
from captioning.decoders import build_decoder
from captioning.encoders import load_encoder
from captioning.errors import ConfigError, TrainingError
from captioning.images import read_image
from captioning.inference.keras_decoder import KerasDecoder
from captioning.metrics import CiderD
from captioning.text import tokenize
from captioning.training import Trainer, teacher_forcing, train
from captioning.training.batches import (
    Batch,
    CaptionRows,
    SplitData,
    make_batch,
    padded_indices,
    shape_for,
)
from captioning.training.checkpoints import Checkpoints, Progress
from captioning.training.fine_tuning import SHARES
from captioning.training.model import (
    TeacherForcing,
    as_keras_reads,
    averaged_weights,
    compile_for_training,
)
from captioning.training.objectives import SelfCritical
from captioning.training.recipe import prepare
from captioning.training.sentences import Sentences
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL, Vocabulary

R, D, U, LENGTH = 4, 6, 16, 6
WORDS = "a red blue green dog cat bird runs sits flies here there".split()
VOCABULARY = Vocabulary([*SPECIAL, *WORDS])
V = len(VOCABULARY)


def sentences(random, count, longest=7):
    return [" ".join(random.choice(WORDS, random.integers(1, longest))) for _ in range(count)]


def split_of(photos, seed):
    """Photos with one to three captions each."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(photos, R, D)).astype(np.float16)
    captions = [sentences(random, 1 + place % 3) for place in range(photos)]
    return SplitData(lambda indices: features[indices], captions)


TRAIN, DEV = split_of(10, seed=0), split_of(4, seed=1)
CONFIG = TrainingConfig(
    decoder=DecoderConfig(kind="inject", embedding_size=8, units=U, dropout=0.5, max_length=LENGTH),
    decoding=DecodingConfig(beam_width=2),
    epochs=2,
    images_per_batch=4,
    learning_rate=0.01,
    warmup_steps=2,
    label_smoothing=0.1,
    ema_momentum=0.8,
)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_compiled():
    """Compiling for three steps takes longer than taking them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def all_is_compiled(nothing_is_compiled):
    """As outside of tests."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(False)
    yield
    tf.config.run_functions_eagerly(True)


def make_decoder(config=CONFIG, **changes):
    settings = dataclasses.replace(config.decoder, **changes)
    return build_decoder(settings, vocabulary_size=V, feature_shape=(R, D))


def make_trainer(config=CONFIG, **options):
    keras.utils.set_random_seed(config.seed)
    decoder = make_decoder(config)
    data = {"train": TRAIN, "dev": DEV}
    return Trainer(config, decoder=decoder, vocabulary=VOCABULARY, **data | options)


def weights_of(trainer):
    return [to_numpy(variable) for variable in trainer.decoder.weights]


# What a step reads


def test_every_word_is_the_target_after_the_words_before_it():
    rows = VOCABULARY.rows(["a red dog", "", "a b c d e f g h"], max_length=LENGTH)
    inputs, targets, weights = teacher_forcing(rows)
    assert inputs.shape == targets.shape == weights.shape == (3, LENGTH)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
    assert (inputs[:, 0] == BOS).all()


def test_weights_come_from_the_targets():
    """From the inputs they would count one PAD after each end mark as a word to be learnt."""
    rows = VOCABULARY.rows(["a red dog", "", "a red blue green dog cat bird"], max_length=LENGTH)
    _, targets, weights = teacher_forcing(rows)
    np.testing.assert_array_equal(weights == 1, targets != PAD)
    assert weights.sum(axis=1).tolist() == [4, 1, LENGTH]
    assert not ((weights == 1) & (targets == PAD)).any()
    assert (targets[np.arange(3), weights.sum(axis=1).astype(int) - 1] == EOS).all()


def test_photos_may_have_any_number_of_captions():
    rows = CaptionRows(
        [["a dog"], ["a cat", "a red cat", "a blue cat"], []], VOCABULARY, max_length=4
    ).rows
    assert rows.shape == (3, 3, 5)
    assert rows.dtype == np.int32
    assert (rows != PAD).any(axis=-1).tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 0]]
    np.testing.assert_array_equal(
        rows[1], VOCABULARY.rows(["a cat", "a red cat", "a blue cat"], max_length=4)
    )


@pytest.mark.parametrize("photos", [1, 3, 10])
def test_a_batch_points_at_exactly_the_real_words(photos):
    rows = CaptionRows(TRAIN.captions[:photos], VOCABULARY, max_length=LENGTH).rows
    batch = make_batch(TRAIN.photos(np.arange(photos)), rows)
    wanted = []  # (input so far, target) of each word, counted out by hand
    for row in rows.reshape(-1, LENGTH + 1).tolist():
        ids = [i for i in row if i != PAD]
        wanted += [(ids[t], ids[t + 1]) for t in range(len(ids) - 1)]
    real = batch.weights > 0
    assert batch.words == real.sum() == len(wanted)
    assert real[: batch.words].all()
    places = batch.places[real]
    assert len(set(places.tolist())) == len(places)
    assert [
        (batch.tokens.reshape(-1)[place], target)
        for place, target in zip(places, batch.targets[real], strict=True)
    ] == wanted
    np.testing.assert_allclose(batch.weights[real], 1 / len(wanted), rtol=1e-6)
    assert batch.weights.sum() == pytest.approx(1.0, abs=1e-5)
    assert batch.places.max() < batch.tokens.size
    assert batch.tokens.shape[:2] == rows.shape[:2]


@pytest.fixture
def shapes_given(monkeypatch):
    """The shapes of all that the compiled functions are given; each new one is compiled."""
    given = set()

    def spied(owner, name):
        original = getattr(owner, name)

        def call(self, *arguments, **options):
            read = [as_keras_reads(a) if isinstance(a, Batch) else a for a in arguments]
            shapes = [tuple(np.shape(leaf)) for leaf in keras.tree.flatten(read)]
            given.add((name, options.get("top"), *shapes))
            return original(self, *arguments, **options)

        monkeypatch.setattr(owner, name, call)

    for name in ("learn", "loss_of", "likeliest"):
        spied(TeacherForcing, name)
    for name in ("begin", "step"):
        spied(KerasDecoder, name)
    return given


@pytest.mark.slow
def test_all_steps_of_a_run_have_one_shape(shapes_given):
    make_trainer(CONFIG.replace(epochs=3), dev=split_of(6, seed=1)).run()
    names = sorted(name for name, *_ in shapes_given)
    # The search reads one caption a photo, then what each beam goes on from.
    assert names == ["begin", "learn", "likeliest", "loss_of", "step", "step", "step"]


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cross_entropy", "self_critical"])
def test_a_run_compiles_few_shapes(objective, shapes_given):
    more = {}
    if objective == "cross_entropy":
        lines = [" ".join(["dog"] * length) for length in range(1, LENGTH)]
        sizes = {"max_length": LENGTH, "per_step": 3, "weight": 0.1, "seed": 0}
        more = {"sentences": Sentences(lines, VOCABULARY, **sizes)}
    config = CONFIG.replace(objective=objective, epochs=6)
    make_trainer(config, dev=split_of(6, seed=1), **more).run()
    assert len(shapes_given) <= 12


@pytest.mark.parametrize("lines, cudnn", [([], "auto"), (["dog"], False)])
def test_runs_with_sentences_do_not_use_cudnn(lines, cudnn):
    sizes = {"max_length": LENGTH, "per_step": 3, "weight": 0.1, "seed": 0}
    trainer = make_trainer(sentences=Sentences(lines, VOCABULARY, **sizes) if lines else None)
    assert trainer.decoder.recurrent.use_cudnn == cudnn


def test_padding_to_the_size_of_a_run_does_not_change_the_loss(plain_model, rows):
    own, indices = make_batch(TRAIN.photos(np.arange(3)), rows[:3]), padded_indices(np.arange(3), 5)
    weights = np.full(rows[:3].shape[:2], 2.0)
    shape = shape_for(rows, [np.arange(5)])
    padded = make_batch(TRAIN.photos(indices), rows[:3], caption_weights=weights, shape=shape)
    assert padded.tokens.shape == (5, 3, LENGTH)
    assert padded.places.shape == (shape.words,)
    assert padded.words == own.words
    expected = plain_model.loss_of(own)
    assert plain_model.loss_of(padded) == pytest.approx(2.0 * expected, rel=1e-5)


# What a step minimises


def cross_entropy(model, features, rows, smoothing):
    """The loss as the definition has it, over every caption and step."""
    inputs, targets, weights = teacher_forcing(rows)
    logits = to_numpy(model.decoder(features, inputs)).astype(np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    truth = (1 - smoothing) * np.eye(V)[targets] + smoothing / V
    return -((truth * log_probs).sum(-1) * weights).sum() / weights.sum()


@pytest.fixture(scope="module")
def plain_model():
    """Without dropout, and with a learning rate that moves nothing."""
    keras.utils.set_random_seed(3)
    model = TeacherForcing(make_decoder(dropout=0.0), None, label_smoothing=0.2)
    config = CONFIG.replace(learning_rate=1e-7, weight_decay=0.0, ema_momentum=0.0)
    compile_for_training(model, config, steps=10)
    random = np.random.default_rng(4)
    for variable in model.decoder.trainable_variables:
        variable.assign(random.normal(0, 1.0, variable.shape))
    return model


@pytest.fixture(scope="module")
def rows():
    return CaptionRows(TRAIN.captions, VOCABULARY, max_length=LENGTH).rows


def test_the_loss_is_cross_entropy_and_smoothed_while_learning(plain_model, rows):
    features = TRAIN.photos(np.arange(10))
    batch = make_batch(features, rows)
    smoothed, exact = (cross_entropy(plain_model, features, rows, s) for s in (0.2, 0.0))
    assert abs(smoothed - exact) > 1e-3
    assert plain_model.loss_of(batch) == pytest.approx(exact, abs=1e-4)
    assert plain_model.learn(batch) == pytest.approx(smoothed, abs=1e-4)


def test_padding_never_matters(plain_model, rows):
    features = TRAIN.photos(np.arange(10))
    expected = plain_model.loss_of(make_batch(features, rows))
    longer = np.pad(rows, [(0, 0), (0, 0), (0, 5)], constant_values=PAD)
    more_captions = np.pad(rows, [(0, 0), (0, 2), (0, 0)], constant_values=PAD)
    for padded in (longer, more_captions):
        loss = plain_model.loss_of(make_batch(features, padded))
        assert loss == pytest.approx(expected, abs=1e-5)


def test_padding_never_teaches(rows):
    """Not only the loss but the step is the same."""
    features, taught = TRAIN.photos(np.arange(10)), []
    more = np.pad(rows, [(0, 0), (0, 2), (0, 0)], constant_values=PAD)
    for some in (rows, more):
        keras.utils.set_random_seed(3)
        model = TeacherForcing(make_decoder(dropout=0.0), None, label_smoothing=0.1)
        compile_for_training(model, CONFIG.replace(warmup_steps=0), steps=10)
        model.learn(make_batch(features, some))
        taught.append([to_numpy(variable) for variable in model.decoder.weights])
    for one, other in zip(*taught, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_averaged_weights_are_the_running_mean_and_leave_no_trace(rows):
    keras.utils.set_random_seed(0)
    model = TeacherForcing(make_decoder(), None, label_smoothing=0.0)
    compile_for_training(model, CONFIG.replace(warmup_steps=0, ema_momentum=0.7), steps=10)
    batch, mean = make_batch(TRAIN.photos(np.arange(10)), rows), None
    for step in range(30):
        model.learn(batch)
        now = [to_numpy(variable) for variable in model.trainable_variables]
        share = min(0.7, step / (step + 9))  # rises to 0.7 in the first 21 steps
        mean = [share * m + (1 - share) * n for m, n in zip(mean or now, now, strict=True)]
    with pytest.raises(RuntimeError, match="on purpose"), averaged_weights(model):
        for variable, expected in zip(model.trainable_variables, mean, strict=True):
            np.testing.assert_allclose(to_numpy(variable), expected, atol=1e-5)
        raise RuntimeError("on purpose")
    for variable, expected in zip(model.trainable_variables, now, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), expected)
    model.learn(batch)  # and training goes on


@pytest.mark.slow
def test_averaged_weights_of_a_short_run_are_not_those_it_began_with(rows):
    keras.utils.set_random_seed(0)
    model = TeacherForcing(make_decoder(dropout=0.0), None, label_smoothing=0.0)
    compile_for_training(model, CONFIG.replace(ema_momentum=0.998), steps=60)
    batch = make_batch(TRAIN.photos(np.arange(10)), rows)
    before = model.loss_of(batch)
    for _ in range(60):
        model.learn(batch)
    after = model.loss_of(batch)
    with averaged_weights(model):
        assert before - model.loss_of(batch) > 0.8 * (before - after)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_learning_rate_rises_and_then_falls_or_stays(schedule):
    model = TeacherForcing(make_decoder(), None, label_smoothing=0.0)
    config = CONFIG.replace(schedule=schedule, warmup_steps=10, learning_rate=0.5)
    compile_for_training(model, config, steps=110)
    rates = []
    for step in range(111):
        model.optimizer.iterations.assign(step)
        rates.append(float(to_numpy(model.optimizer.learning_rate)))
    assert rates[:10] == pytest.approx([0.5 * step / 11 for step in range(1, 11)])
    assert max(rates) == pytest.approx(0.5) == pytest.approx(rates[10])
    assert rates[:11] == sorted(rates[:11])
    if schedule == "constant":
        assert rates[10:] == pytest.approx([0.5] * 101)
    else:
        assert rates[10:] == sorted(rates[10:], reverse=True)
        assert rates[60] == pytest.approx(0.5 * 0.505, rel=1e-3)  # half way down
        assert rates[-1] == pytest.approx(0.005)


@pytest.mark.parametrize(("warmup", "steps"), [(0, 1), (100, 1), (100, 5), (5, 5), (4, 5)])
def test_a_run_shorter_than_its_warm_up_still_learns(warmup, steps):
    model = TeacherForcing(make_decoder(), None, label_smoothing=0.0)
    compile_for_training(model, CONFIG.replace(warmup_steps=warmup), steps=steps)
    rates = []
    for step in range(steps):
        model.optimizer.iterations.assign(step)
        rates.append(float(to_numpy(model.optimizer.learning_rate)))
    assert min(rates) > 0  # the first step learns too
    assert rates.index(max(rates)) <= steps // 4
    assert np.isfinite(rates).all()


# Whole runs


@pytest.fixture(scope="module")
def whole_run():
    """A run that nobody interrupts: its trainer, its events and its losses."""
    events, losses = [], []
    trainer = make_trainer(on_event=events.append)
    learn = trainer.model.learn
    trainer.model.learn = lambda batch: losses.append(learn(batch)) or losses[-1]
    assert trainer.run()
    assert len(losses) == 6
    return trainer, events, losses


@pytest.mark.slow
def test_a_run_reports_its_events(whole_run):
    trainer, events, _ = whole_run
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert kinds.count("epoch") == 2
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2]
    assert [event["dev_loss"] for event in epochs] == [
        record["dev_loss"] for record in trainer.progress.history
    ]
    for event in events:
        json.dumps(event)


def test_dev_loss_is_the_mean_over_all_dev_words(whole_run):
    trainer, _, _ = whole_run
    rows = CaptionRows(DEV.captions, VOCABULARY, max_length=LENGTH).rows
    expected = cross_entropy(trainer.model, DEV.photos(np.arange(4)), rows, 0.0)
    assert trainer.dev.loss() == pytest.approx(expected, abs=1e-4)


def run_until(stop, folder, losses):
    """Go on with the run in `folder` up to `stop`, `(epoch, step)`, or to its end."""
    events = []
    trainer = make_trainer(
        checkpoints=Checkpoints(folder),
        on_event=events.append,
        should_stop=lambda: (trainer.progress.epoch, trainer.progress.step) == stop,
    )
    learn = trainer.model.learn
    trainer.model.learn = lambda batch: losses.append(learn(batch)) or losses[-1]
    assert trainer.run() == (stop is None)
    return trainer, events[0]["event"]


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(whole_run, tmp_path):
    """Stopped twice in an epoch, and the last checkpoint damaged."""
    losses, begins = [], []
    for stop in [(0, 2), (1, 1), None]:
        trainer, begin = run_until(stop, tmp_path, losses)
        begins.append(begin)
        if stop == (1, 1):  # falls back to the checkpoint before
            latest = max(tmp_path.glob("*.safetensors"))
            latest.write_bytes(latest.read_bytes()[:-100])
            losses.pop()
    assert begins == ["start", "resume", "damaged"]
    expected, _, expected_losses = whole_run
    assert losses == pytest.approx(expected_losses, abs=1e-6)
    assert trainer.progress.best_epoch == expected.progress.best_epoch
    for ours, theirs in zip(trainer.progress.history, expected.progress.history, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    for ours, theirs in zip(weights_of(trainer), weights_of(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
def test_a_run_goes_on_with_the_settings_it_began_with_or_not_at_all(whole_run, tmp_path):
    run_until((0, 2), tmp_path, [])
    changed = CONFIG.replace(seed=8, learning_rate=0.5)
    trainer = make_trainer(changed, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(TrainingError, match="learning_rate was .*, now 0.5, seed was 0, now 8"):
        trainer.run()
    assert trainer.progress.step == 0
    data = dataclasses.replace(TRAIN, captions=[["another caption"], *TRAIN.captions[1:]])
    with pytest.raises(TrainingError, match="with other data"):
        make_trainer(train=data, checkpoints=Checkpoints(tmp_path)).run()
    renamed = make_trainer(CONFIG.replace(name="another"), checkpoints=Checkpoints(tmp_path))
    assert renamed.run()


@pytest.mark.slow
def test_a_checkpoint_from_before_settings_were_kept_is_taken(tmp_path):
    run_until((0, 2), tmp_path, [])
    checkpoints = Checkpoints(tmp_path)
    arrays, progress = checkpoints.load()
    assert progress.settings.pop("seed") == 0
    progress.settings.clear()
    checkpoints.save(arrays, progress)
    assert make_trainer(CONFIG, checkpoints=checkpoints).run()


def test_a_finished_run_is_not_run_again(whole_run, tmp_path):
    """Its checkpoint gives the weights of the best epoch at once."""
    expected, _, _ = whole_run
    progress = dataclasses.replace(expected.progress)
    assert progress.epoch == CONFIG.epochs
    expected.checkpoints = Checkpoints(tmp_path)
    expected._save()
    expected.checkpoints = None
    again = make_trainer(checkpoints=Checkpoints(tmp_path))
    again.model.learn = None  # would be called by any step
    assert again.run()
    for ours, theirs in zip(weights_of(again), weights_of(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_seed_decides():
    one, again, other = (make_trainer(CONFIG.replace(seed=seed)) for seed in (0, 0, 1))
    for first, second in zip(weights_of(one), weights_of(again), strict=True):
        np.testing.assert_array_equal(first, second)
    pairs = zip(weights_of(one), weights_of(other), strict=True)
    assert max(np.abs(first - second).max() for first, second in pairs) > 0.01
    orders = [np.concatenate(trainer.groups(0)).tolist() for trainer in (one, again, other)]
    assert orders[0] == orders[1] != orders[2]


def test_every_photo_comes_once_an_epoch_in_another_order(whole_run):
    trainer, _, _ = whole_run
    orders = [np.concatenate(trainer.groups(epoch)).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert [len(group) for group in trainer.groups(0)] == [4, 4, 2]


def test_half_of_the_photos_that_may_be_are_mirrored():
    can_flip = np.arange(10) % 5 != 0
    train = dataclasses.replace(TRAIN, can_flip=can_flip)
    decoder = make_decoder()
    trainer = Trainer(CONFIG, decoder=decoder, vocabulary=VOCABULARY, train=train, dev=DEV)
    epochs = np.stack([np.concatenate(trainer.groups(epoch)) for epoch in range(200)])
    assert (np.sort(epochs % 10, axis=1) == np.arange(10)).all()
    shares = [np.mean(epochs[epochs % 10 == photo] >= 10) for photo in range(10)]
    assert [share > 0 for share in shares] == can_flip.tolist()
    assert np.abs(np.array(shares)[can_flip] - 0.5).max() < 0.15
    mirrored, plain = (
        trainer.batch(indices, TRAIN.photos(np.arange(3)))
        for indices in (np.array([11, 2, 13]), np.array([1, 2, 3]))
    )
    np.testing.assert_array_equal(mirrored.tokens, plain.tokens)


def test_half_of_the_photos_are_shown_as_one_of_their_crops():
    can_flip = np.arange(10) % 5 != 0
    train = dataclasses.replace(TRAIN, crops=3, can_flip=can_flip)
    trainer = Trainer(CONFIG, decoder=make_decoder(), vocabulary=VOCABULARY, train=train, dev=DEV)
    drawn = np.concatenate([index for epoch in range(400) for index in trainer.groups(epoch)])
    photos, views = drawn % 10, drawn // 10
    assert (np.bincount(photos) == 400).all()
    flipped, crops = views // 4, views % 4
    assert np.unique(photos[flipped == 1]).tolist() == np.flatnonzero(can_flip).tolist()
    assert abs(flipped[can_flip[photos]].mean() - 0.5) < 0.05
    np.testing.assert_allclose(np.bincount(crops) / 4000, [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.04)
    assert crops[flipped == 1].mean() == pytest.approx(crops[flipped == 0].mean(), abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("with_encoder", [True, False])
def test_views_of_a_photo_are_read_mirrored_unless_its_captions_name_a_side(
    shapes, tiny_bundle, data_home, with_encoder
):
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    config = TOGETHER.replace(
        train_encoder=with_encoder,
        encoder_from="lender",
        horizontal_flip=True,
        crops=2,
        limit_images=0,
    )
    prepared = prepare(config, shapes)
    photos, data = prepared.inputs.train_photos, prepared.inputs.train
    sided = [any(" left " in f" {c} " or " right " in f" {c} " for c in p.captions) for p in photos]
    assert data.can_flip.tolist() == [not side for side in sided]
    encoder = load_encoder(config.encoder, arrays=tiny_bundle.encoder_arrays())
    count = len(photos)
    for place in (0, 3):
        pixels = encoder.pixels(read_image(shapes.path(photos[place])))
        for number, view in enumerate(views(crops=2, flips=True)):
            index, square = number * count + place, view.of(pixels, photos[place].name)
            read = data.photos(np.array([place, index]))[1]
            if with_encoder:
                np.testing.assert_array_equal(read, square)
            else:
                features = encoder.encode(square[None])[0]
                np.testing.assert_allclose(read, features, rtol=2e-3, atol=2e-3)
    assert data.crops == 2
    assert prepared.inputs.dev.can_flip is None
    assert prepared.inputs.dev.crops == 0


def test_a_run_may_start_from_a_model_that_is_made_surer_of_its_words(
    shapes, tiny_bundle, data_home
):
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    plain, surer = (
        prepare(FINE_TUNING.replace(start_temperature=heat), shapes).trainer for heat in (1.0, 0.5)
    )
    features = plain.dev_data.photos(np.arange(2))
    tokens = np.full((2, 1, 1), BOS)
    before, after = (to_numpy(t.decoder(features, tokens)) for t in (plain, surer))
    np.testing.assert_allclose(after, before / 0.5, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_finished_decoder_may_be_a_mean_with_the_one_it_started_from(
    shapes, tiny_bundle, data_home
):
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    config = FINE_TUNING.replace(epochs=1)
    alone, mean = (
        train(config.replace(start_share=share), shapes, bundle_folder=data_home / f"share{share}")
        for share in (0.0, 0.25)
    )
    before, after = tiny_bundle.decoder_arrays(), alone.decoder_arrays()
    assert any(np.abs(after[name] - before[name]).max() > 1e-3 for name in before)
    for name, value in mean.decoder_arrays().items():
        expected = 0.75 * after[name].astype(np.float32) + 0.25 * before[name].astype(np.float32)
        np.testing.assert_allclose(value, expected, rtol=2e-3, atol=2e-3)
    assert "25% of lender" in mean.card
    assert mean.metrics["training"]["cider_by_share"].keys() == {"0.25"}
    with pytest.raises(ConfigError, match="start_share"):
        prepare(TOGETHER.replace(start_share=0.5), shapes)


def test_fine_tuning_never_ends_with_a_model_worse_than_its_start(
    shapes, tiny_bundle, data_home, monkeypatch
):
    """Each step teaches to say nothing, so dev chooses the weights before training."""

    def learn(model, batch):
        model.decoder.vocabulary.bias.assign(1e3 * np.eye(model.decoder.vocabulary_size)[EOS])
        return 1.0

    monkeypatch.setattr(TeacherForcing, "learn", learn)
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    config = GROWING.replace(ema_momentum=0.0)
    events = []
    bundle = train(config, shapes, bundle_folder=data_home / "kept", on_event=events.append)
    facts, known = bundle.metrics["training"], len(tiny_bundle.vocabulary)
    assert facts["start_share"] == 1.0
    assert facts["dev"]["cider"] == facts["baselines"]["start_cider"]
    shares = [e for e in events if e["event"] == "average"]
    assert [e["share"] for e in shares] == list(SHARES)
    [kept] = [e for e in events if e["event"] == "averaged"]
    assert (kept["share"], kept["cider"]) == (1.0, facts["dev"]["cider"])
    epochs = [e for e in events if e["event"] == "epoch"]
    best = epochs[epochs[-1]["best_epoch"] - 1]
    assert (shares[-1]["cider"], shares[-1]["bleu_4"]) == (best["cider"], best["bleu_4"])
    before = next(e for e in events if e["event"] == "start_scores")
    assert (before["model"], before["cider"]) == ("lender", facts["dev"]["cider"])
    found, start = bundle.decoder_arrays(), tiny_bundle.decoder_arrays()
    assert len(bundle.vocabulary) > known
    bias = "decoder/vocabulary/bias"
    np.testing.assert_array_equal(found[bias][:known], start[bias])
    same = [name for name in start if found[name].shape == start[name].shape]
    assert all((found[name] == start[name]).all() for name in same)
    assert "lender was already as good without training" in facts["verdict"]
    assert facts["verdict"] in bundle.card
    assert "The share was chosen on dev (CIDEr with a share of 100%:" in bundle.card
    assert "used to choose the epoch and the share" in bundle.card


@pytest.mark.slow
def test_a_fine_tuned_model_may_learn_new_words(shapes, tiny_bundle, data_home):
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    config = GROWING.replace(start_share=0.25)
    events = []
    bundle = train(config, shapes, bundle_folder=data_home / "grown", on_event=events.append)
    known = len(tiny_bundle.vocabulary)
    assert "star" not in tiny_bundle.vocabulary
    assert "star" in bundle.vocabulary.words[known:]
    assert bundle.vocabulary.words[:known] == tiny_bundle.vocabulary.words
    sentences = next(event for event in events if event["event"] == "data")["sentences"]
    assert "words are new to lender and are added to its vocabulary" in sentences[-1]
    assert len(bundle.decoder_arrays()["decoder/vocabulary/bias"]) == len(bundle.vocabulary)
    kept = prepare(config.replace(grow_vocabulary=False), shapes).trainer.vocabulary
    assert kept.words == tiny_bundle.vocabulary.words


@pytest.mark.slow
def test_a_model_records_its_starting_model(shapes, tiny_bundle, data_home):
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    first = TOGETHER.replace(encoder_from="lender", train_encoder=False, epochs=1, name="first")
    train(first, shapes, bundle_folder=data_home / "models" / "first", command="make first")
    second = first.replace(start_from="first", objective="self_critical", samples=2)
    bundle = train(second, shapes, bundle_folder=data_home / "models" / "second", command="go on")
    facts = bundle.metrics["training"]
    assert facts["command"] == "go on"
    assert facts["began_with"]["model"] == "first"
    assert facts["began_with"]["configuration"]["objective"] == "cross_entropy"
    assert "- It started with the weights of first (`make first`): epoch 1" in bundle.card
    assert "Command: `go on`" in bundle.card
    third = first.replace(start_from="second", teachers=("first", "second"))
    bundle = train(third, shapes, bundle_folder=data_home / "models" / "third")
    assert "- It started with the weights of second (`go on`): epoch 1" in bundle.card
    assert "- second started with the weights of first (`make first`): epoch 1" in bundle.card
    assert "Besides the true words, it learned from first and second." in bundle.card
    fourth = first.replace(start_from="third")
    bundle = train(fourth, shapes, bundle_folder=data_home / "models" / "fourth")
    assert "minutes, with first and second as teachers.\n- third started with" in bundle.card


@pytest.fixture
def scripted():
    """A trainer whose weights are the number of its epoch and whose captions come from a script.

    Nothing is compiled, so only the trainer's own decisions are tried.
    """

    def make(script, **options):
        trainer = make_trainer(CONFIG.replace(epochs=len(script), ema_momentum=0.0), **options)
        variable = trainer.decoder.vocabulary.bias

        def learn(batch):
            variable.assign(np.full(V, trainer.progress.epoch + 1.0))
            return 1.0

        trainer.model.learn = learn
        trainer.model.loss_of = lambda batch: 1.0
        trainer.model.likeliest = lambda batch: np.zeros(len(batch.places), int)
        trainer.dev.captions = lambda: script[trainer.progress.epoch][: trainer.dev.count]
        return trainer, variable

    return make


def test_the_best_epoch_is_kept_and_among_equals_the_first(scripted):
    perfect = [captions[0] for captions in DEV.captions]
    half = [*perfect[:2], "here", "there"]
    best = []
    trainer, variable = scripted([half, perfect, perfect, half])
    trainer.on_best = lambda: best.append(float(to_numpy(variable)[0]))
    assert trainer.run()
    assert best == [1.0, 2.0]
    assert trainer.progress.best_epoch == 1
    assert to_numpy(variable).tolist() == [2.0] * V
    ciders = [record["cider"] for record in trainer.progress.history]
    assert ciders[1] == ciders[2] == max(ciders) > ciders[0] == ciders[3]


def test_where_cider_is_equal_the_lower_loss_chooses_the_epoch(scripted):
    trainer, variable = scripted([["zzz"] * 4] * 3)
    trainer.model.loss_of = lambda batch: {0: 3.0, 1: 1.0, 2: 2.0}[trainer.progress.epoch]
    assert trainer.run()
    assert trainer.progress.best_epoch == 1
    assert to_numpy(variable).tolist() == [2.0] * V


def test_a_model_that_says_nothing_useful_is_kept_all_the_same(scripted):
    trainer, variable = scripted([["zzz"] * 4, ["zzz"] * 4])
    assert trainer.run()
    assert trainer.progress.best_epoch == 0
    assert to_numpy(variable).tolist() == [1.0] * V


def test_a_loss_that_is_no_number_ends_the_run_with_advice(scripted):
    trainer, _ = scripted([["a"] * 4])
    for loss in (float("nan"), float("inf")):
        trainer.model.learn = lambda batch, loss=loss: loss
        with pytest.raises(TrainingError, match=f"{loss}.*epoch 1, step 1.*learning rate"):
            trainer.run()


@pytest.mark.slow
def test_losses_that_stay_on_the_device_are_read_some_steps_later(monkeypatch):
    expected = make_trainer()
    assert expected.run()
    learn = TeacherForcing.learn
    monkeypatch.setattr(TeacherForcing, "learn", lambda self, batch: np.float32(learn(self, batch)))
    trainer = make_trainer()
    assert trainer.run()
    for ours, theirs in zip(trainer.progress.history, expected.progress.history, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-6)
    monkeypatch.setattr(TeacherForcing, "learn", lambda self, batch: np.float32("nan"))
    with pytest.raises(TrainingError, match="became nan in epoch 1, step 1;"):
        make_trainer().run()


@pytest.mark.slow
def test_callbacks_of_keras_see_steps_and_epochs_and_may_end_the_run():
    seen = []

    class Recorder(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("begin")

        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"] > 0))

        def on_epoch_end(self, epoch, logs=None):
            seen.append((f"epoch {epoch}", {"val_loss", "bleu_4", "cider", "loss"} <= set(logs)))
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs=None):
            seen.append("end")

    trainer = make_trainer(CONFIG.replace(epochs=3), callbacks=[Recorder()])
    assert trainer.run()
    steps = [(step, True) for step in range(trainer.steps)]
    assert seen == ["begin", *steps, ("epoch 0", True), *steps, ("epoch 1", True), "end"]
    assert trainer.progress.epoch == 2


def test_a_run_without_photos_does_not_begin():
    with pytest.raises(TrainingError, match="no training photos"):
        Trainer(
            CONFIG,
            decoder=make_decoder(),
            vocabulary=VOCABULARY,
            train=SplitData(lambda indices: None, []),
            dev=DEV,
        )


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"kind": "merge"}, {"units": 32}, {"cell": "gru"}], ids=str)
def test_a_checkpoint_of_another_model_is_refused(scripted, tmp_path, changes):
    trainer, _ = scripted([["a"] * 4], checkpoints=Checkpoints(tmp_path))
    assert trainer.run()
    other = make_trainer(
        trainer.config.replace(decoder=trainer.config.decoder.replace(**changes)),
        checkpoints=Checkpoints(tmp_path),
    )
    with pytest.raises(TrainingError, match="other settings"):
        other.run()


def test_the_share_of_the_start_may_change_after_the_last_epoch(scripted, tmp_path):
    trainer, _ = scripted([["a"] * 4], checkpoints=Checkpoints(tmp_path))
    assert trainer.run()
    other = make_trainer(
        trainer.config.replace(start_share=0.25), checkpoints=Checkpoints(tmp_path)
    )
    assert other.run()
    assert other.progress.history == trainer.progress.history


# Checkpoints by themselves


def some_arrays(seed):
    random = np.random.default_rng(seed)
    return {
        "a": random.normal(size=(3, 4)).astype(np.float32),
        "seeds": random.integers(0, 2**32, 2, dtype=np.uint32),
        "steps": np.array(seed, np.int64),
    }


def test_checkpoints_come_back_to_the_bit_and_the_last_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new" / "folder")
    assert checkpoints.load() is None
    for step in range(5):
        checkpoints.save(some_arrays(step), Progress(epoch=1, step=step, history=[{"n": step}]))
    assert len(list(checkpoints.folder.iterdir())) == 2
    arrays, progress = Checkpoints(checkpoints.folder).load()
    assert progress == Progress(epoch=1, step=4, history=[{"n": 4}])
    for name, expected in some_arrays(4).items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype


def test_an_array_of_any_layout_comes_back(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    Checkpoints(tmp_path).save({"transposed": array}, Progress())
    arrays, _ = Checkpoints(tmp_path).load()
    np.testing.assert_array_equal(arrays["transposed"], array)


def test_later_epochs_come_after_earlier_ones(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for epoch, step in [(0, 9_999), (1, 0), (9, 5), (10, 1)]:
        checkpoints.save(some_arrays(epoch), Progress(epoch=epoch, step=step))
        assert checkpoints.load()[1].epoch == epoch


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "bit", "folder"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(some_arrays(1), Progress(step=1))
    path = checkpoints.save(some_arrays(2), Progress(step=2))
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-3] ^= 16
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(
            {"cut": content[:-9], "empty": b"", "zeros": bytes(len(content)), "bit": content}[
                damage
            ]
        )
    arrays, progress = checkpoints.load()
    assert progress.step == 1
    np.testing.assert_array_equal(arrays["a"], some_arrays(1)["a"])
    assert checkpoints.damaged == [path.name]


def test_a_checkpoint_that_cannot_be_written_leaves_the_others(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    kept = checkpoints.save(some_arrays(1), Progress(step=1))

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(TrainingError, match="No space left.*resume"):
        checkpoints.save(some_arrays(2), Progress(step=2))
    assert list(tmp_path.iterdir()) == [kept]


def test_a_checkpoint_is_on_the_disk_before_older_ones_are_removed(tmp_path, monkeypatch):
    checkpoints, kept = Checkpoints(tmp_path), []
    monkeypatch.setattr(
        "captioning.storage.flush_to_disk",
        lambda path: kept.append((path.suffix, len(list(tmp_path.glob("epoch*.safetensors"))))),
    )
    for step in range(4):
        checkpoints.save(some_arrays(step), Progress(step=step))
    assert kept[-2:] == [(".part", 2), ("", 3)]
    assert len(list(tmp_path.iterdir())) == 2


# Learning from its own captions


def test_draws_are_weighed_by_how_much_better_they_are_than_their_siblings(rows):
    from captioning.inference.keras_decoder import KerasDecoder

    sampled = KerasDecoder(make_decoder(dropout=0.0))
    critic = SelfCritical(sampled, TRAIN.captions, VOCABULARY, samples=4, seed=0)
    indices = np.array([3, 7, 8])
    photos = TRAIN.photos(indices)
    batch = critic.batch(indices, photos, photos)
    again = critic.batch(indices, photos, photos)
    np.testing.assert_array_equal(batch.tokens, again.tokens)
    # Read every drawn caption back from the batch and score it here.
    shape = (3, 4, batch.tokens.shape[-1])
    targets, weights = np.zeros((2, *shape))
    targets.reshape(-1)[batch.places[: batch.words]] = batch.targets[: batch.words]
    weights.reshape(-1)[batch.places[: batch.words]] = batch.weights[: batch.words]
    cider = CiderD([[[*tokenize(c), "<eos>"] for c in captions] for captions in TRAIN.captions])
    said = [
        [[VOCABULARY.words[int(i)] for i in row if i] for row in of_photo] for of_photo in targets
    ]
    scores = np.array([cider.scores(s, [int(i)] * 4) for s, i in zip(said, indices, strict=True)])
    assert critic.reward == pytest.approx(scores.mean(), abs=1e-6)
    others = (scores.sum(axis=1, keepdims=True) - scores) / 3
    expected = np.where(targets > 0, (scores - others)[:, :, None], 0.0) / batch.words
    np.testing.assert_allclose(weights, expected, atol=1e-6)


@pytest.mark.slow
def test_captions_that_score_better_become_likelier(all_is_compiled):
    keras.utils.set_random_seed(0)
    config = CONFIG.replace(
        objective="self_critical", learning_rate=0.03, warmup_steps=0, schedule="constant"
    )
    trainer = make_trainer(config)
    trainer.prepare()
    indices, rewards = np.arange(10), []
    for step in range(25):
        trainer.objective._seed = step  # fresh draws of the same photos
        trainer.model.learn(trainer.batch(indices, TRAIN.photos(indices)))
        rewards.append(trainer.objective.reward)
    assert np.mean(rewards[-5:]) > 1.5 * np.mean(rewards[:5])


@pytest.mark.slow
def test_a_step_on_own_captions_drops_numbers_only_when_asked_to():
    """Without, two equal steps on the same draws have the same loss; with, they have not."""
    losses = {}
    for asked in (False, True):
        config = CONFIG.replace(objective="self_critical", critical_dropout=asked)
        trainer = make_trainer(config)
        indices = np.arange(4)
        x, y, weights = as_keras_reads(trainer.batch(indices, TRAIN.photos(indices)))
        model = trainer.model
        losses[asked] = [
            float(model.compute_loss(x, y, model(x, training=True), weights)) for _ in range(2)
        ]
    assert losses[False][0] == losses[False][1]
    assert losses[True][0] != losses[True][1]


# From a data set to a bundle


@pytest.fixture(scope="module")
def secretive(shapes, tmp_path_factory):
    """Shapes whose dev and test captions hold words of their own, and no test photo's file."""
    folder = tmp_path_factory.mktemp("secretive") / "shapes"
    shutil.copytree(shapes.root, folder)
    original = load(folder)
    for photo in original.split("test"):
        original.path(photo).unlink()
    photos = tuple(
        photo
        if photo.split == "train"
        else dataclasses.replace(
            photo, captions=tuple(f"{caption} {photo.split}only" for caption in photo.captions)
        )
        for photo in original.photos
    )
    return CaptionDataset("shapes", folder, photos, original.folder, original.oddities)


TOGETHER = TrainingConfig(
    name="tiny",
    data="shapes",
    encoder=EncoderConfig(name="compact", input_size=32, width=4),
    decoder=DecoderConfig(
        kind="attention", embedding_size=8, units=16, heads=2, dropout=0.1, max_length=12
    ),
    decoding=DecodingConfig(beam_width=2),
    train_encoder=True,
    min_count=1,
    epochs=2,
    images_per_batch=6,
    limit_images=12,
    score_images=2,
    warmup_steps=2,
)
FINE_TUNING = TOGETHER.replace(start_from="lender", encoder_from="lender", train_encoder=False)
GROWING = FINE_TUNING.replace(grow_vocabulary=True, epochs=1)


@pytest.mark.slow
def test_a_model_trained_with_its_encoder_becomes_a_bundle(secretive, tmp_path):
    """Stopped once on the way; the stopped run leaves a checkpoint and no bundle."""
    events = []

    def run(should_stop):
        return train(
            TOGETHER,
            secretive,
            bundle_folder=tmp_path / "models" / "tiny",
            checkpoint_folder=tmp_path / "checkpoints",
            command="the command",
            on_event=events.append,
            should_stop=should_stop,
        )

    asked = []
    assert run(lambda: asked.append(1) or len(asked) == 2) is None
    assert not (tmp_path / "models" / "tiny").exists()
    assert list((tmp_path / "checkpoints").iterdir())
    bundle = run(lambda: False)
    assert [e["event"] for e in events if e["event"] in ("start", "resume")] == ["start", "resume"]

    words = set(bundle.vocabulary.words)
    seen = secretive.split("train")[:12]
    assert words - set(SPECIAL) == {w for p in seen for c in p.captions for w in tokenize(c)}
    assert not words & {"devonly", "testonly"}
    assert [record["epoch"] for record in bundle.history()] == [1, 2]
    facts = bundle.metrics["training"]
    assert facts["photos"] == 12
    ciders = [record["cider"] for record in bundle.history()]
    assert facts["best_epoch"] == 1 + ciders.index(max(ciders))
    assert TrainingConfig.from_dict(facts["configuration"]).decoder == TOGETHER.decoder
    assert "the command" in bundle.card
    assert bundle.encoder == TOGETHER.encoder.replace(layer="map", photo_size=0)

    captioner = Captioner.load(bundle.folder)
    photo = secretive.split("dev")[0]
    assert captioner.caption(read_image(secretive.path(photo))).model == "tiny"


@pytest.mark.slow
def test_a_decoder_is_trained_on_stored_features(shapes, tiny_bundle, data_home, monkeypatch):
    """Of an encoder that another bundle lends; the second run encodes nothing."""
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "lender")
    config = TOGETHER.replace(train_encoder=False, encoder_from="lender", epochs=1)
    events = []
    bundle = train(config, shapes, bundle_folder=data_home / "m" / "one", on_event=events.append)
    assert [e["done"] for e in events if e["event"] == "features"][-1] == 40
    assert bundle.encoder_from == "lender"
    assert not (bundle.folder / "encoder.safetensors").exists()
    figures = bundle.decoder_arrays()
    deviation = next(value for path, value in figures.items() if path.endswith("deviation"))
    assert np.abs(deviation - 1.0).max() > 0.01  # scaled by the training photos

    monkeypatch.setattr("captioning.training.sources.open_encoder", None)
    events.clear()
    train(config, shapes, bundle_folder=data_home / "m" / "two", on_event=events.append)
    assert not [e for e in events if e["event"] == "features"]


def test_settings_that_cannot_be_met_are_refused_before_anything_is_read(shapes, tmp_path):
    for changes in (
        {"encoder": EncoderConfig(name="vgg16")},
        {"encoder": EncoderConfig(name="nonesuch")},
        {"encoder": EncoderConfig(name="compact", layer="nonesuch")},
    ):
        with pytest.raises(ConfigError):
            train(TOGETHER.replace(**changes), shapes, bundle_folder=tmp_path / "x")
    assert not list(Path(tmp_path).iterdir())


def test_training_needs_a_training_photo_and_a_dev_photo(shapes, tmp_path):
    train_photos, dev = shapes.split("train"), shapes.split("dev")
    for photos, message in [
        (dev, "0 training and 4 dev"),
        (train_photos[:1], "1 training and 0 dev"),
    ]:
        poorer = CaptionDataset("shapes", shapes.root, photos, shapes.folder, shapes.oddities)
        with pytest.raises(TrainingError, match=message):
            train(TOGETHER, poorer, bundle_folder=tmp_path / "x")


def test_a_photo_that_cannot_be_read_stops_no_run(shapes, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(shapes.root, folder)
    dataset = load(folder)
    dataset.path(dataset.split("train")[0]).write_bytes(b"not a photo")
    prepared = prepare(TOGETHER, dataset)
    assert len(prepared.inputs.train_photos) == 11
    assert prepared.report[0] == dataset.summary()
    assert prepared.report[1].startswith("1 photo cannot be read and is left out: ")
    assert prepared.inputs.train.photos(np.arange(11)).shape == (11, 32, 32, 3)
    assert prepared.inputs.train.captions[0] == dataset.split("train")[1].captions
