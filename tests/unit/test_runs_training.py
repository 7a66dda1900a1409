"""What training tells a run, and that it may be left at any moment."""

import json
import time

import numpy as np
import pytest

from captioning.config import DecoderConfig, TrainingConfig
from captioning.decoders import build_decoder
from captioning.training import StepByStep, Trainer
from captioning.training.batches import SplitData
from captioning.training.checkpoints import Checkpoints, Progress
from captioning.training.eta import Pace
from captioning.vocabulary import PAD, SPECIAL, Vocabulary

VOCABULARY = Vocabulary([*SPECIAL, *"a red blue dog cat runs sits".split()])
CONFIG = TrainingConfig(
    decoder=DecoderConfig(kind="inject", embedding_size=4, units=8, dropout=0.3, max_length=6),
    decoding={"beam_width": 1},
    epochs=2,
    images_per_batch=4,
    warmup_steps=0,
)
CAPTIONS = [("a red dog runs", "a dog"), ("a blue cat sits", "a cat")]


@pytest.fixture(scope="module", autouse=True)
def nothing_is_compiled():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def split(count):
    features = np.random.default_rng(count).normal(size=(count, 5)).astype(np.float32)
    captions = [CAPTIONS[place % 2] for place in range(count)]
    return SplitData(
        lambda indices: features[indices], captions, [f"{n}.jpg" for n in range(count)]
    )


def make(**options):
    import keras

    keras.utils.set_random_seed(1)
    decoder = build_decoder(CONFIG.decoder, vocabulary_size=len(VOCABULARY), feature_shape=(5,))
    data = {"vocabulary": VOCABULARY, "train": split(9), "dev": split(10)}
    return Trainer(CONFIG, decoder=decoder, **data, **options)


@pytest.fixture(scope="module")
def whole():
    events = []
    trainer = make(on_event=events.append)
    assert trainer.run()
    return trainer.progress.history, events


@pytest.mark.slow
def test_eight_photos_are_reported_with_their_captions_after_each_epoch(whole):
    _, events = whole
    strips = [event for event in events if event["event"] == "filmstrip"]
    assert [strip["epoch"] for strip in strips] == [1, 2]
    for strip in strips:
        assert strip["photos"] == [f"{n}.jpg" for n in range(8)]
        assert len(strip["captions"]) == 8


@pytest.mark.slow
def test_a_stop_is_heard_while_an_epoch_is_scored(whole, tmp_path):
    history, _ = whole
    events = []
    trainer = make(
        checkpoints=Checkpoints(tmp_path),
        on_event=lambda event: events.append(event["event"]),
        should_stop=lambda: events[-1] == "scoring",
    )
    assert not trainer.run()
    assert trainer.progress.history == []
    again = make(checkpoints=Checkpoints(tmp_path))
    assert again.run()
    for ours, theirs in zip(again.progress.history, history, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_forced_scores_are_perfect_for_a_model_that_is_always_right():
    trainer = make()
    trainer.model.likeliest = lambda batch: batch.targets
    assert trainer.dev.forced_scores().bleu_4 == pytest.approx(100.0)
    trainer.model.likeliest = lambda batch: np.full(len(batch.targets), PAD)
    assert trainer.dev.forced_scores().bleu_1 == 0.0


def test_one_wrong_bit_of_a_checkpoint_is_noticed(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"a": np.arange(4.0)}, Progress(step=1))
    latest = checkpoints.save({"a": np.arange(4.0)}, Progress(step=2))
    content = bytearray(latest.read_bytes())
    content[-1] ^= 1
    latest.write_bytes(content)
    found = checkpoints.load()
    assert found is not None
    assert found[1].step == 1
    assert checkpoints.damaged == [latest.name]
    assert list(tmp_path.glob("*.damaged"))


def test_a_full_disk_leaves_the_checkpoints_before(tmp_path, monkeypatch):
    from captioning.errors import TrainingError
    from captioning.training import checkpoints as module

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"a": np.ones(3)}, Progress(step=1))

    def full(arrays, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(TrainingError, match="No space left.*Free some disk space"):
        checkpoints.save({"a": np.ones(3)}, Progress(step=2))
    monkeypatch.undo()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".safetensors"]
    assert checkpoints.load()[1].step == 1


def test_time_halted_is_not_time_spent():
    pace = Pace(seconds=100.0)
    with pace.halted():
        time.sleep(0.2)
    assert 100.0 <= pace.seconds < 100.15
    assert pace.left(steps=5, epochs=1) is None
    pace.stepped()
    time.sleep(0.01)
    pace.stepped()
    assert pace.left(steps=5, epochs=0) == pytest.approx(5 / pace.rate)


@pytest.mark.slow
def test_a_step_laid_open_is_a_step(shapes):
    config = TrainingConfig.from_dict(
        {
            "encoder": {"name": "compact", "input_size": 32, "width": 4},
            "decoder": {"kind": "merge", "embedding_size": 8, "units": 8, "dropout": 0.0},
            "train_encoder": True,
            "min_count": 1,
            "images_per_batch": 4,
            "learning_rate": 0.02,
            "warmup_steps": 0,
            "schedule": "constant",
            "label_smoothing": 0.0,
        }
    )
    lesson = StepByStep(config, shapes)
    steps = [lesson.step() for _ in range(3)]
    assert [step.number for step in steps] == [1, 2, 3]
    assert steps[2].loss < steps[0].loss
    for step in steps:
        assert len(step.photos) == 4
        for read, said, words in zip(step.inputs, step.targets, step.words, strict=True):
            assert read[0] == "<bos>"
            assert read[1 : len(words)] == said[: len(words) - 1]
            assert words[-1].said == "<eos>"
            for word in words:
                assert word.loss == pytest.approx(-np.log(word.before), rel=1e-5)
        assert all(norm > 0 for layer, norm in step.gradient_norms.items() if "vocab" in layer)
    chosen = [word for step in steps for words in step.words for word in words]
    assert np.mean([w.after for w in chosen]) > np.mean([w.before for w in chosen])
    json.dumps(steps[0].gradient_norms)
