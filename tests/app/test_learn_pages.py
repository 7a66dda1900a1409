"""The Learn pages on the small shipped model, with no data and no network."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import captioning.captioner
from captioning.analysis.caption_index import build_index
from captioning.datasets import generate_shapes
from captioning.errors import WeightsError
from captioning.lessons.lexicon import thing_of
from pages.learn import guessing
from pages.learn.figures import roomy
from pages.learn.guessing import Answer
from pages.learn.lessons import LESSONS, TOOLS, lesson
from pages.learn.training.curves import seconds_left
from pages.ui.photos import Captioned
from pages.ui.pictures import Picture

ROOT = Path(__file__).parents[2]
MINE = ("overview", "encoder", "words")


@pytest.fixture(scope="module")
def loaded():
    """The model that comes with the app, loaded once for all these tests."""
    return captioning.captioner.Captioner.load(ROOT / "models" / "shapes")


@pytest.fixture
def shapes_model(home, loaded, monkeypatch):
    """The model that comes with the app, alone."""
    shutil.copytree(ROOT / "models" / "shapes", home / "models" / "shapes")
    load = captioning.captioner.Captioner.load.__func__

    def quickly(cls, folder, **options):
        return loaded if Path(folder).name == "shapes" else load(cls, folder, **options)

    monkeypatch.setattr(captioning.captioner.Captioner, "load", classmethod(quickly))


@pytest.fixture
def open_lesson(shapes_model):
    """A function that opens a lesson as a link would."""

    def open_(key, **query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
        for name, value in query.items():
            app.query_params[f"learn.{name}"] = value
        app.switch_page(f"pages/learn/{key}/page.py")
        return app.run()

    return open_


def all_text(app):
    kinds = (app.markdown, app.header, app.subheader, app.title, app.caption)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def sound(app):
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    return app


def links(app):
    return [link.proto.label for link in app.get("page_link")]


def test_the_table_of_lessons_is_the_section_and_the_files():
    import app as frame

    listed = [row[0] for row in frame.PAGES["Learn"]]
    assert listed == ["learn/learn.py", *(page.file for page in (*LESSONS, *TOOLS))]
    assert [found.number for found in LESSONS] == list(range(1, 10))
    for found in LESSONS:
        assert (ROOT / found.path).is_file()
    with pytest.raises(LookupError, match="nothing"):
        lesson("nothing")


@pytest.mark.slow
@pytest.mark.parametrize("key", MINE)
def test_a_lesson_opens_with_nothing_downloaded(open_lesson, key):
    app = sound(open_lesson(key))
    found = lesson(key)
    assert app.header[0].value == f"{found.number}. {found.title}"
    assert app.selectbox(key="learn.model").value == "shapes"
    assert app.selectbox(key="learn.photo").value == "shapes 1"
    assert len(app.expander) >= 4
    assert f"{found.number + 1}. {LESSONS[found.number].title}" in links(app)
    for picture in app.get("imgs"):
        assert picture.proto.imgs


@pytest.mark.parametrize("key", MINE)
def test_every_question_is_answered_by_the_model(open_lesson, key):
    app = open_lesson(key)
    before = len(app.markdown)
    for number in (1, 2, 3):
        app.session_state[f"{key}.question{number}"] = True
    sound(app.run())
    assert len(app.markdown) >= before + 3


@pytest.mark.slow
@pytest.mark.parametrize("key", MINE)
def test_a_lesson_for_a_projector_is_larger_and_says_less(open_lesson, key):
    plain, large = open_lesson(key), sound(open_lesson(key, projector="true"))
    assert large.title and large.title[0].value == plain.header[0].value
    assert len(large.caption) <= len(plain.caption)
    pairs = [[t.value for t in app.markdown if "$" in t.value] for app in (plain, large)]
    assert pairs[0] == [text.replace(r"\Large", "") for text in pairs[1]]
    assert all(text.startswith(r"$\Large") for text in pairs[1])
    again = large.toggle(key="learn.projector").set_value(False).run()
    assert again.header[0].value == plain.header[0].value


@pytest.mark.parametrize("key", MINE)
def test_a_link_can_hide_the_choice_of_photo_and_model(open_lesson, key):
    app = sound(open_lesson(key, hide="controls", photo="shapes 2", model="shapes"))
    assert not [box.key for box in app.selectbox if box.key.startswith("learn.")]
    assert not app.toggle or "learn.projector" not in [t.key for t in app.toggle]
    assert "Link for class" not in [expander.label for expander in app.expander]


@pytest.mark.slow
@pytest.mark.parametrize("key", [lesson.key for lesson in LESSONS])
def test_what_did_not_change_is_not_drawn_again(open_lesson, key, monkeypatch):
    app = sound(open_lesson(key, projector="false"))
    written = []
    save = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *a, **k: written.append(a) or save(*a, **k))
    sound(app.run())
    assert written == []  # Streamlit encodes an image again if it is given another width or format


def test_a_link_fixes_photo_and_step(open_lesson):
    app = sound(open_lesson("overview", photo="shapes 3", step="3"))
    assert app.selectbox(key="learn.photo").value == "shapes 3"
    assert app.slider(key="learn.step").value == 3
    first = app.header[1].value.replace("\\", "")
    assert len(first.removesuffix(" …").split()) == 2
    assert any("learn.step=3" in code.value and "shapes+3" in code.value for code in app.code)


def test_the_link_for_class_can_hide_controls(open_lesson):
    app = open_lesson("overview")
    app.checkbox(key="overview.hide_controls").check().run()
    assert any("learn.hide=controls" in code.value for code in app.code)


@pytest.mark.slow
def test_the_network_is_opened_once_for_all_photos(open_lesson, monkeypatch):
    from captioning.lessons import encoder, overview

    calls = []
    for module, name in ((encoder, "OpenedEncoder"), (overview, "anatomy_of")):
        made = getattr(module, name)
        count = lambda *a, made=made, name=name: calls.append(name) or made(*a)  # noqa: E731
        monkeypatch.setattr(module, name, count)
    for photo in ("shapes 1", "shapes 2"):
        sound(open_lesson("overview", photo=photo))
    assert sorted(calls) == ["OpenedEncoder", "anatomy_of"]


def test_a_link_may_name_a_photo_of_the_data_set(open_lesson):
    app = sound(open_lesson("overview", photo="shapes_00009.png"))
    assert app.selectbox(key="learn.photo").value == "shapes_00009.png"


def test_a_link_to_an_unknown_model_is_reported_and_the_lesson_continues(open_lesson):
    app = open_lesson("overview", model="nobody")
    assert not app.exception and "nobody" in app.error[0].value
    assert app.selectbox(key="learn.model").value == "shapes"


@pytest.mark.slow
def test_a_guess_is_scored_before_the_word_is_shown(open_lesson):
    app = open_lesson("overview", step="1")
    assert "The answer is" not in all_text(app)
    app.text_input(key="overview.next.guess").input("zebra")
    app.button(key="overview.next.look").click().run()
    text = all_text(sound(app))
    assert "You guessed **zebra**" in text and "it does not know your word" in text
    assert "you were right 0 of 1 times" in text
    word = text.split("The answer is **")[1].split("**")[0]
    # The next place is another guess; the model's own word counts.
    app.slider(key="learn.step").set_value(2).run()
    header = app.header[1].value.replace("\\", "")
    assert header == f"{word} …"
    app.button(key="overview.next.show").click().run()
    assert "you were right 0 of 1 times" in all_text(app)
    app.slider(key="learn.step").set_value(1).run()
    assert "You guessed **zebra**" in all_text(app)


def test_the_overview_opens_on_a_content_word(open_lesson):
    app = open_lesson("overview")
    app.button(key="overview.next.show").click().run()
    answer = all_text(sound(app)).split("The answer is **")[1].split("**")[0]
    assert thing_of(answer)


def test_a_right_guess_counts_for_the_student(open_lesson):
    app = open_lesson("words")
    options = app.radio(key="words.neighbour.guess").options
    for option in options:
        fresh = open_lesson("words")
        fresh.radio(key="words.neighbour.guess").set_value(option)
        fresh.button(key="words.neighbour.look").click().run()
        if f"The answer is **{option}**" in all_text(fresh):
            assert "you were right 1 of 1 times" in all_text(fresh)
            break
    else:
        pytest.fail("no option was right")


def test_tall_parts_of_a_formula_get_room_but_not_what_is_inside_them():
    inside = r"\left(\frac{1}{2}\right)"
    assert roomy("a = b") == "a = b"
    assert roomy(r"a = \frac{1}{\frac{2}{3}}").count(r"\rule") == 1
    assert roomy(rf"{inside}^{{1/4}} = \frac{{1}}{{2}}").count(r"\rule") == 2
    assert roomy(inside).endswith(inside)


def test_the_time_left_is_that_of_the_runs_so_far():
    assert seconds_left(0.0, 0, 5) == ""
    assert seconds_left(12.0, 2, 5) == " About 18 s left."


def test_guesses_do_not_depend_on_case_and_punctuation():
    answer = Answer(right=["(end)", "stop"])
    assert guessing.is_right(" End. ", answer) and guessing.is_right("STOP", answer)
    assert not guessing.is_right("go", answer)


def test_the_students_score_is_shown_with_the_models(open_lesson):
    def script():
        from pages.learn.guessing import Answer, ask

        for name, right in (("one", "a"), ("two", "b")):
            ask(f"t.{name}", "Which?", lambda right=right: Answer([right], "a"), about=0)

    app = AppTest.from_function(script, default_timeout=30).run()
    for name in ("one", "two"):
        app.text_input(key=f"t.{name}.guess").input("b")
        app.button(key=f"t.{name}.look").click().run()
    assert "you were right 1 of 2 times, the model 1 of 2 times" in all_text(app)


def test_a_model_whose_weights_are_missing_is_passed_over(
    open_lesson, home, monkeypatch, write_tiny_bundle
):
    write_tiny_bundle(home / "models" / "needs-weights")
    load = captioning.captioner.Captioner.load.__func__

    def refuse(cls, folder, **options):
        if "needs-weights" in str(folder):
            raise WeightsError("The weights are not here.")
        return load(cls, folder, **options)

    monkeypatch.setattr(captioning.captioner.Captioner, "load", classmethod(refuse))
    app = open_lesson("overview", model="needs-weights")
    assert not app.exception and "The weights are not here" in all_errors(app)
    assert "uses the model **shapes** instead" in all_text(app)


def all_errors(app):
    return " ".join(error.value.replace("\\", "") for error in app.error)


def test_without_a_model_a_lesson_says_how_to_get_one(home):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/learn/overview/page.py")
    app.run()
    assert not app.exception and "There is no model here yet" in all_text(app)


def test_an_uploaded_photo_goes_along_to_the_next_lesson(open_lesson, jpeg):
    app = open_lesson("words")
    app.file_uploader(key="learn.file").upload("mine.jpg", jpeg("blue"), "image/jpeg").run()
    sound(app)
    assert app.selectbox(key="learn.photo").value == "your photo"
    assert "An uploaded photo stays here" in all_text(app)
    app.switch_page("pages/learn/overview/page.py").run()
    sound(app)
    assert app.selectbox(key="learn.photo").value == "your photo"


def test_a_lesson_begins_with_the_photo_captioned_last_until_another_is_chosen(open_lesson, jpeg):
    app = open_lesson("words")
    last = Captioned(Picture("mine.jpg", jpeg("blue")), None, "shapes")
    app.session_state["photos.captioned"] = last
    app.query_params.clear()
    sound(app.switch_page("pages/learn/overview/page.py").run())
    assert app.selectbox(key="learn.photo").value == "your photo"
    app.selectbox(key="learn.photo").set_value("shapes 2").run()
    sound(app.switch_page("pages/learn/words/page.py").run())
    assert app.selectbox(key="learn.photo").value == "shapes 2"


def test_a_photo_that_cannot_be_read_is_reported(open_lesson):
    app = open_lesson("words")
    app.file_uploader(key="learn.file").upload("mine.jpg", b"no photo", "image/jpeg").run()
    assert not app.exception and app.error


@pytest.mark.slow
def test_a_step_beyond_a_shorter_caption_is_no_fault(open_lesson, home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "tiny")
    app = open_lesson("overview", model="shapes")
    app.slider(key="learn.step").set_value(app.slider(key="learn.step").max).run()
    app.selectbox(key="learn.model").set_value("tiny").run()
    sound(app)
    assert not app.warning


def test_the_encoder_by_hand_is_equal_to_keras_on_the_page(open_lesson):
    app = open_lesson("encoder")
    app.slider(key="encoder.row.32").set_value(0).run()
    sound(app)
    text = next(m.value for m in app.markdown if "Keras gives" in m.value).replace("\\", "")
    assert float(text.split("differ by ")[1].split()[0].rstrip(".")) < 1e-5


def test_photos_that_excite_a_channel_are_shown(open_lesson):
    app = open_lesson("encoder")
    app.toggle(key="encoder.photos").set_value(True).run()
    assert all_text(sound(app)).count(".png: ") == 4


def test_a_sentence_of_ones_own_is_followed_to_its_rows(open_lesson):
    app = open_lesson("words")
    field = next(f for f in app.text_input if f.key.startswith("words.sentence"))
    field.set_value("A red zebra!").run()
    assert "zebra" in all_text(sound(app)) and "4 rows" in all_text(app)
    next(f for f in app.text_input if f.key.startswith("words.sentence")).set_value("!!").run()
    assert "Write at least one word" in all_text(sound(app))


def test_all_captions_are_counted_in_rows(open_lesson, home):
    shapes = generate_shapes(home / "shapes", count=40, seed=3)
    app = sound(open_lesson("words", photo=shapes.split("test")[1].name))
    captions = shapes.split("test")[1].captions
    app.selectbox[-1].set_value(captions[1]).run()
    assert len(sound(app).table[-1].value) == len(captions[1].split()) + 1
    app.toggle(key="words.all").set_value(True).run()
    index = build_index(shapes)
    words = int(index.lengths[index.in_split("train")].sum())
    assert f"**{words + 32 * 5:,} rows**" in all_text(sound(app))


def test_a_vocabulary_can_be_counted_in_the_training_captions(open_lesson, home):
    generate_shapes(home / "shapes", count=40, seed=3)
    app = open_lesson("words")
    app.segmented_control(key="words.vocabulary").set_value("counted in training captions").run()
    few = int(re.search(r"([\d,]+) words stand at least 3", all_text(sound(app)))[1])
    app.slider(key="words.min_count").set_value(20).run()
    assert int(re.search(r"([\d,]+) words stand at least 20", all_text(sound(app)))[1]) < few


def test_a_link_may_name_the_data_set_of_its_photo(open_lesson, home, shapes_model):
    generate_shapes(home / "a", count=20, seed=1)
    other = generate_shapes(home / "b", count=40, seed=3)
    photo = other.split("test")[2]
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.query_params.update({"explore.data": "b", "learn.photo": photo.name})
    sound(app.switch_page("pages/learn/words/page.py").run())
    assert app.text_input[0].value == photo.captions[0]
    assert any("explore.data=b" in code.value for code in app.code)


def test_what_a_link_fixed_goes_along_to_the_next_lesson(open_lesson):
    app = open_lesson("overview", photo="shapes 3", step="2", projector="true")
    app.query_params.clear()
    app.switch_page("pages/learn/words/page.py").run()
    sound(app)
    assert app.selectbox(key="learn.photo").value == "shapes 3"
    assert app.toggle(key="learn.projector").value is True and app.title
    app.toggle(key="learn.projector").set_value(False).run()
    app.switch_page("pages/learn/overview/page.py").run()
    assert not app.title and app.slider(key="learn.step").value == 2


@pytest.mark.slow
def test_another_model_with_other_maps_is_no_fault(open_lesson, home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "tiny")
    app = open_lesson("encoder", model="shapes")
    app.slider(key="encoder.row.32").set_value(31).run()
    sound(app.selectbox(key="learn.model").set_value("tiny").run())
    assert not app.warning
