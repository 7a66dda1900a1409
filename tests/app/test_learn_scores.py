"""The lesson on scores, on the shapes model that comes with the app."""

import pytest
from lesson_app import LessonApp, formulas, shown

from captioning.analysis.bleu import sentence_scores
from pages.ui.pictures import true_sentences


@pytest.fixture
def lesson(open_page, monkeypatch, tmp_path):
    return LessonApp(open_page, monkeypatch, tmp_path / "shipped", "scores")


def test_the_lesson_opens_on_the_shapes_model(lesson):
    app = lesson.open()
    assert "7. Scores" in shown(app)
    for text in true_sentences("shapes 1"):
        assert text.rstrip(".") in shown(app)
    assert "What BLEU counts" not in shown(app)  # first guess, then look


@pytest.mark.slow
def test_a_guess_is_scored_and_opens_the_arithmetic(lesson):
    app = lesson.open()
    app.radio(key="scores.direction.guess").set_value("down")
    lesson.look("scores.direction")
    assert "What BLEU counts" in shown(app) and "CIDEr: rare words weigh more" in shown(app)
    assert "You guessed" in shown(app) and "The model guessed" in shown(app)
    assert any("CIDEr" in formula for formula in formulas(app))


@pytest.mark.slow
def test_a_sentence_of_one_s_own_is_scored(lesson):
    own = "a small black cross and a small purple star"
    app = lesson.open(**{"scores.own": own, "scores.order": "BLEU-4"})
    app.radio(key="scores.direction.guess").set_value("up")
    lesson.look("scores.direction")
    score = sentence_scores(own, true_sentences("shapes 1"))[3]
    assert score == 100
    assert "BLEU-4 was 58.8 and is 100.0" in shown(app)


@pytest.mark.slow
def test_every_way_of_changing_the_sentence_works(lesson):
    app = lesson.open()
    for number, title in enumerate(app.selectbox(key="scores.edit").options):
        app.selectbox(key="scores.edit").select_index(number).run()
        assert not app.exception
        lesson.show("scores.direction")
        assert title in lesson.tables()


def test_an_uploaded_photo_is_described_by_the_student(lesson, jpeg):
    app = lesson.open(upload=jpeg("red"))
    assert "at least one sentence" in shown(app)
    app.text_area(key="scores.references").set_value("a red square\nthe red square").run()
    assert not app.exception
    assert "the red square" in shown(app)


@pytest.mark.slow
def test_the_duel_and_the_mistakes_are_there(lesson):
    app = lesson.open()
    app.radio(key="scores.duel.guess").set_value("A")
    lesson.look("scores.duel")
    assert "nobody: one word is made false" in lesson.tables()
    lesson.show("scores.direction")
    assert "Start and end marks counted" in lesson.tables()
    for method in ("epsilon", "add one"):
        app.segmented_control(key="scores.smoothing").set_value(method).run()
        assert not app.exception


@pytest.mark.slow
def test_misleading_examples_come_from_the_data_and_open_in_the_lesson(lesson):
    app = lesson.open()
    app.toggle(key="scores.examples").set_value(True).run()
    assert not app.exception and "Right, but low" in shown(app)
    button = app.button(key="scores.examples.low.0")
    button.click().run()
    assert not app.exception and not app.error
    photo = app.selectbox(key="learn.photo").value
    assert photo.startswith("shapes_")
    own = app.text_input(key="scores.own").value
    assert f"becomes *{own.strip(' .').lower()}*" in shown(app)


@pytest.mark.slow
def test_the_questions_are_answered_by_the_model(lesson):
    app = lesson.open()
    for number in (1, 2, 3):
        lesson.ask(number)
    assert "For an evenly grey photo the model writes" in shown(app)
    assert "Beam width 5" in shown(app)


def test_a_projector_shows_the_lesson_too(lesson):
    app = lesson.open(**{"learn.projector": "true", "learn.hide": "controls"})
    assert "7. Scores" in app.title[0].value
