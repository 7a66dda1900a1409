"""The lesson on limits, on the shapes model that comes with the app."""

import pytest
from lesson_app import LessonApp, formulas, shown

from captioning.lessons.limits import ODD_PICTURES


@pytest.fixture
def lesson(open_page, monkeypatch, tmp_path):
    return LessonApp(open_page, monkeypatch, tmp_path / "shipped", "limits")


def test_the_lesson_opens_on_the_shapes_model(lesson):
    app = lesson.open()
    assert "9. Limits" in shown(app)
    assert "a word on average" in shown(app)
    assert "28 blind and low-vision people" in shown(app)


def test_a_word_comes_from_the_photo_or_from_habit(lesson):
    app = lesson.open(**{"learn.step": "1"})
    assert "begins the sentence" in shown(app)
    app.radio(key="limits.seen.guess").set_value("habit")
    lesson.look("limits.seen")
    assert "times as likely" in shown(app)
    assert any(r"\ln" in formula for formula in formulas(app))


def test_odd_pictures_get_a_sentence_each(lesson):
    app = lesson.open()
    app.radio(key="limits.odd.guess").set_value("noise")
    lesson.look("limits.odd")
    for name in ODD_PICTURES:
        assert f"{name}: " in shown(app)


def test_a_changed_photo_is_compared(lesson):
    app = lesson.open(**{"limits.change": "darker"})
    app.radio(key="limits.change.guess").set_value("it changes")
    lesson.look("limits.change")
    assert "upside down" in lesson.tables()


def test_loaded_words_are_counted_in_the_model_s_captions(lesson):
    app = lesson.open()
    [b for b in app.button if b.key == "limits.write"][0].click().run()
    assert not app.exception and not app.error
    assert "left / right" in lesson.tables()
    assert "Things that are not there" in shown(app)


def test_the_questions_are_answered_by_the_model(lesson):
    app = lesson.open()
    for number in (1, 2, 3):
        lesson.ask(number)
    assert "an evenly grey picture gives it" in shown(app)
    assert "for 4 pictures" in shown(app)
    assert "Words lost, of" in shown(app)
