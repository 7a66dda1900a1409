"""The lesson on limits, on the shapes model that comes with the app."""

import pytest
from lesson_app import LessonApp, formulas, shown

from captioning import people_words
from captioning.bundle import add_scores, read_bundle
from captioning.lessons.limits import ODD_PICTURES
from pages.learn.limits import details
from pages.learn.limits.bias import cost_rows


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


def test_details_below_the_chosen_probability_are_left_out(lesson, monkeypatch):
    monkeypatch.setitem(details.CERTAINTIES, "60%", 1.0)
    lesson.open(**{"limits.details": "off"})
    assert "in the sentence" not in lesson.tables()
    lesson.show("limits.seen")
    assert "in the sentence" in lesson.tables() and "Left out:" not in shown(lesson.app)
    whole = [line for line in shown(lesson.app).splitlines() if line.startswith("####")]
    lesson.app.segmented_control(key="limits.details").set_value("60%").run()
    short = [line for line in shown(lesson.app).splitlines() if line.startswith("####")]
    assert "Left out:" in shown(lesson.app)
    (before,), (after,) = set(whole) - set(short), set(short) - set(whole)
    assert len(after.removeprefix("#### A photo of ")) < len(before.removeprefix("#### "))


def test_a_projector_shows_the_notes_on_readers_large(lesson):
    app = lesson.open(**{"learn.projector": "true"})
    (notes,) = [each.value for each in app.markdown if "Blind readers" in each.value]
    assert all(line.removeprefix("- ").startswith("#### ") for line in notes.split("\n") if line)


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


def test_a_sentence_without_genders_says_so(lesson):
    assert "names no gender" in shown(lesson.open())


def test_gendered_words_are_replaced_below_the_chosen_certainty(lesson, monkeypatch):
    for words, of in ((people_words._MALE, "circle square"), (people_words._FEMALE, "triangle")):
        for word in of.split():
            monkeypatch.setitem(words, word, "person")
            monkeypatch.setitem(people_words.GENDERED, word, "person")
    own = shown(lesson.open(**{"limits.certainty": "off"})).splitlines()
    neutral = shown(lesson.open(**{"limits.certainty": "99%"})).splitlines()
    certain = lesson.tables()
    assert "certainty of the gender" in certain
    changed = [line for line in neutral if line.startswith("####") and line not in own]
    assert changed and all("person" in line for line in changed)


def test_the_questions_are_answered_by_the_model(lesson):
    app = lesson.open()
    for number in (1, 2, 3):
        lesson.ask(number)
    assert "an evenly grey picture gives it" in shown(app)
    assert "for 4 pictures" in shown(app)
    assert "Words lost, of" in shown(app)


def test_the_cost_of_neutral_words_pairs_scores_of_one_protocol(write_tiny_bundle, tmp_path):
    score = {"data": "d", "split": "dev", "images": 9, "beam_width": 3, "length_penalty": 0.7}
    bundle = write_tiny_bundle(tmp_path / "m", metrics={"evaluations": [{**score, "cider": 50.0}]})
    assert cost_rows(bundle) == []
    add_scores(bundle, {**score, "cider": 48.5}, neutral_words=True)
    add_scores(bundle, {**score, "split": "test", "cider": 40.0}, neutral_words=True)
    bundle = read_bundle(bundle.folder)
    assert cost_rows(bundle) == [
        {"data": "d dev", "CIDEr, own words": "50.0", "CIDEr, neutral words": "48.5"}
    ]
    assert "48.5" not in bundle.card
