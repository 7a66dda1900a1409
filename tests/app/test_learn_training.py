"""The lesson on training, on the shapes model that comes with the app."""

import json

import pytest
from lesson_app import LessonApp, formulas, shown

from captioning.config import TrainingConfig
from captioning.runs import Runs
from pages.learn.training import curves, data


@pytest.fixture
def lesson(open_page, monkeypatch, tmp_path):
    return LessonApp(open_page, monkeypatch, tmp_path / "shipped", "training")


@pytest.fixture
def quick(monkeypatch):
    """Trainings of one epoch, of two seeds, on few pictures."""
    monkeypatch.setattr(curves, "_EPOCHS", {8: 3, 40: 1, 160: 1})
    monkeypatch.setattr(curves, "_SEEDS", 2)
    monkeypatch.setattr(curves, "_SEED_PHOTOS", 16)
    monkeypatch.setattr(curves, "_SEED_EPOCHS", 1)
    monkeypatch.setattr(data, "_PHOTOS", 60)


def test_the_lesson_opens_on_the_shapes_model(lesson):
    app = lesson.open()
    assert "8. Training" in shown(app)
    for heading in ("After true words", "Replace one word", "Two curves", "How much is chance?"):
        assert heading in shown(app)
    assert "Each word has a bias" not in shown(app)  # first guess, then look


@pytest.mark.slow
def test_a_sentence_is_taught(lesson):
    app = lesson.open(**{"training.sentence": "a small red cross"})
    options = app.radio(key="training.gain.guess").options
    assert options == ["a", "small", "red", "cross"]
    app.radio(key="training.gain.guess").set_value("red")
    lesson.look("training.gain")
    assert "Each word has a bias" in shown(app)
    app.segmented_control(key="training.bias").set_value("cross").run()
    assert any(formula.startswith("b'") for formula in formulas(app))


def test_an_unknown_word_is_reported_and_the_rest_of_the_lesson_stays(lesson):
    app = lesson.open(**{"training.sentence": "a zebra"})
    app.radio(key="training.gain.guess").set_value("zebra")
    [b for b in app.button if b.key.endswith("training.gain.look")][0].click().run()
    assert "does not know the word 'zebra'" in app.error[0].value.replace("\\", "")
    assert "Replace one word" in shown(app)


def test_true_words_and_its_own(lesson):
    app = lesson.open()
    app.radio(key="training.forced.guess").set_value("3")
    lesson.look("training.forced")
    assert "after true words" in lesson.tables()
    assert "with the other word" in lesson.tables()


SCORES = {"bleu_4": 1.0, "cider": 2.0, "seconds": 3.0}


def test_the_curve_of_a_run_of_the_data_set_can_be_chosen(lesson, home):
    run = Runs(home).create(TrainingConfig(name="mine", data="shapes", epochs=3))
    losses = ((3.0, 3.1), (2.0, 2.5), (1.0, 2.75))
    rows = [
        {"event": "epoch", "epoch": n, "loss": a, "dev_loss": b, **SCORES}
        for n, (a, b) in enumerate(losses, start=1)
    ]
    (run.folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = lesson.open(**{"training.curve": f"run {run.id}"})
    app.radio(key="training.best.guess").set_value("an earlier one")
    lesson.look("training.best")
    assert "Epoch 2 had 2.500 nats per word, the last one 2.750" in shown(app)
    assert "You guessed an earlier one" in shown(app).replace("*", "")


@pytest.mark.slow
def test_overfitting_and_chance_are_trained_on_the_spot(lesson, quick):
    app = lesson.open()
    app.radio(key="training.overfit.guess").set_value("it falls to the end")
    lesson.look("training.overfit")
    assert "It is lowest in epoch" in shown(app)
    app.radio(key="training.chance.guess").set_value("under 1")
    lesson.look("training.chance")
    assert "The worst has" in shown(app)
    assert "Two settings, each tried with 2 seeds" in shown(app)


@pytest.mark.slow
def test_the_questions_are_answered_by_the_model(lesson):
    app = lesson.open()
    for number in (1, 2, 3):
        lesson.ask(number)
    assert "Rate 1: the loss goes" in shown(app)
    assert "The same words backwards" in shown(app)
