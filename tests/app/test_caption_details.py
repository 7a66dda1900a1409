"""One caption in depth and many photos at once, with a real model of random weights."""

import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from captioning.captioner import Captioner
from captioning.decoding import Node
from captioning.image_metadata import MACHINE_MADE
from captioning.text import clean
from captioning.vocabulary import EOS
from pages.ui.captions import draw_tree, mark_differences

ROOT = Path(__file__).parents[2]
WHY, TREE, MODELS, SHARE = "Why this sentence", "Search tree", "Other models", "Export"


@pytest.fixture
def encoded(monkeypatch):
    """Notes the size of every batch that an encoder reads."""
    calls, encode = [], Captioner.encode_squares

    def counted(self, pixels, on_wait=None):
        calls.append(len(pixels))
        return encode(self, pixels, on_wait)

    monkeypatch.setattr(Captioner, "encode_squares", counted)
    return calls


@pytest.fixture
def two_models(home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "other")
    return write_tiny_bundle(home / "models" / "tiny")


@pytest.fixture
def page(two_models, encoded, open_page, jpeg):
    def open_(**query):
        app = open_page(**{"caption.model": "tiny", **query})
        app.file_uploader(key="caption.upload").upload("dog.jpg", jpeg("red"))
        app.run()
        assert not app.exception
        return app

    return open_


def sentence(app):
    return clean(re.sub(r":orange\[\*(.*?)\*\]", r"\1", app.title[0].value))


def visible(app):
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.code)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def test_other_settings_write_again_without_encoding_again(page, encoded):
    app = page()
    written = {sentence(app)}
    for width in (1, 5):
        app.slider(key="caption.beam_width").set_value(width).run()
    app.slider(key="caption.length_penalty").set_value(2.0).run()
    app.text_input(key="caption.must").set_value("green").run()
    assert "green" in sentence(app).split()
    app.text_input(key="caption.must").set_value("").run()
    app.segmented_control(key="caption.way").set_value("Drawn at random").run()
    for seed in (1, 2):
        app.number_input(key="caption.seed").set_value(seed).run()
        written.add(sentence(app))
    assert not app.exception
    assert len(written) > 1
    assert encoded == [1]


def test_a_link_holds_the_settings(page):
    query = {
        "caption.begin": "the two",
        "caption.without": "red, square",
        "caption.beam_width": "4",
        "caption.no_repeat": "true",
    }
    first, second = page(**query), page(**query)
    assert sentence(first) == sentence(second)
    assert sentence(first).startswith("the two")
    assert not {"red", "square"} & set(sentence(first).split())
    assert visible(first).count("% | ") == 3  # three other beams
    assert "steered" in visible(first)


def test_another_model_brings_its_usual_settings_unless_they_were_changed(
    page, home, write_tiny_bundle
):
    folder = write_tiny_bundle(home / "models" / "careful").folder
    config = json.loads((folder / "config.json").read_text())
    config["decoding"] |= {"beam_width": 5, "no_repeat": 2}
    (folder / "config.json").write_text(json.dumps(config))
    app = page()
    assert app.slider(key="caption.beam_width").value == 3
    app.selectbox(key="caption.model").set_value("careful").run()
    assert not app.exception
    assert app.slider(key="caption.beam_width").value == 5
    assert not any(toggle.key == "caption.no_repeat" for toggle in app.toggle)
    app.slider(key="caption.beam_width").set_value(2).run()
    app.selectbox(key="caption.model").set_value("tiny").run()
    assert app.slider(key="caption.beam_width").value == 2
    assert not app.toggle(key="caption.no_repeat").value


def test_a_wish_that_cannot_be_met_is_reported(page):
    app = page(**{"caption.must": "zebra"})
    assert "does not know the word 'zebra'" in visible(app)
    assert not app.title


def test_a_rival_rewrites_the_rest(page, encoded):
    app = page(**{"caption.closer": WHY})
    before = sentence(app).split()
    assert len(app.table[0].value) in (10, 11)
    rival = next(b for b in app.button if b.key and b.key.startswith("caption.rival.1."))
    word = rival.label.replace("\\", "")
    rival.click().run()
    assert not app.exception
    assert sentence(app).split()[:2] == [before[0], word]
    app.button(key="caption.free").click().run()
    assert sentence(app).split() == before
    assert encoded == [1, 1]  # the photo and, once, a blank one


def test_every_map_and_every_word_can_be_looked_at(page):
    app = page(**{"caption.closer": WHY})
    words = sentence(app).split()
    pills = app.pills[0]
    for place in (0, len(words) - 1):
        pills.set_value(place).run()
        app.segmented_control(key="caption.map").set_value("Occlusion").run()
        assert not app.exception
        assert len(app.image) == 2  # the photo, and the photo lit by the map
        pills = app.pills[0]


def test_the_tree_is_drawn_with_the_winner(page):
    app = page(**{"caption.closer": TREE, "caption.beam_width": "3"})
    (chart,) = app.get("graphviz_chart")
    drawn = chart.proto.spec
    for word in sentence(app).split():
        assert f'label="{word}\\n' in drawn
    assert "style=dashed" in drawn
    app.segmented_control(key="caption.way").set_value("Drawn at random").run()
    assert "no search tree" in visible(app)


def test_models_stand_side_by_side(page):
    app = page(**{"caption.closer": MODELS})
    app.pills(key="caption.others").set_value(["other"]).run()
    assert not app.exception
    assert "other" in visible(app)
    (first, second) = (clean(s.value) for s in app.subheader[-2:])
    assert first == second == sentence(app)  # the same weights, so nothing is marked


def test_a_caption_is_taken_along_and_says_who_wrote_it(page):
    app = page(**{"caption.closer": SHARE})
    text, html = (code.value for code in app.code[:2])
    assert clean(text) == sentence(app)
    assert f'alt="{MACHINE_MADE}{text}"' in html
    assert app.get("download_button")
    assert not app.exception


def test_words_that_differ_are_marked():
    assert mark_differences("a dog", "a dog") == "a dog"
    assert mark_differences("a red cat", "a dog") == "a :primary-background[red cat]"
    assert mark_differences("", "a dog") == ""


def test_a_tree_of_one_word():
    nodes = [Node(0, 4, -0.5, -0.5, None, "best"), Node(1, EOS, -0.1, -0.6, 0, "best")]
    drawn = draw_tree([*nodes, Node(1, 5, -2.0, -2.5, 0, "cut")], ("", "", "", "", "dog", "runs"))
    assert drawn.count("->") == 3
    assert 'n0 -> n1 [color="#0e766e"' in drawn and 'n0 -> n2 [color="#5a6664"' in drawn
    assert 'label="end\\n' in drawn


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_many_photos_begin_with_what_to_do(two_models):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/library/many.py").run()
    assert not app.exception and not app.button
    assert any("a zip of the folder" in text.value for text in app.caption)


@pytest.fixture
def many(two_models, jpeg):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["many.model"] = "tiny"
    app.switch_page("pages/library/many.py").run()
    uploader = app.file_uploader(key="many.upload")
    uploader.upload("one.jpg", jpeg("red"))
    uploader.upload("notes.jpg", b"no photo")
    uploader.upload("more.zip", zipped({f"in/{n}.jpg": jpeg("blue") for n in range(9)}))
    app.run()
    assert not app.exception
    return app


def table_of(app):
    return app.dataframe[0].value


def test_many_photos_become_a_table_and_a_bad_one_a_reason(many):
    assert many.button(key="many.start").label == "Caption 11 photos"
    many.button(key="many.start").click().run()
    assert not many.exception
    table = table_of(many)
    assert list(table["photo"]) == ["one.jpg", "notes.jpg", *(f"in/{n}.jpg" for n in range(9))]
    assert list(table["by"]) == ["tiny", "", *["tiny"] * 9]
    assert "notes.jpg" in table["error"][1]
    assert table["caption"][0] and not table["caption"][1]
    assert len(set(table["caption"][2:])) == 1
    assert table["thumbnail"][0].startswith("data:image/jpeg;base64,")
    assert "10 captions, 1 file that could not be read" in visible(many)
    assert many.button(key="many.start").disabled
    assert len(many.get("download_button")) == 4


def test_a_correction_stays_and_is_a_persons(many):
    many.button(key="many.start").click().run()
    many.session_state["many.session"].table.correct("one.jpg", "a kite")
    many.run()
    table = table_of(many)
    assert (table["caption"][0], table["by"][0], table["probability"][0]) == (
        "a kite",
        "person",
        "",
    )
    many.button(key="many.delete").click().run()
    assert not many.dataframe and "many.session" not in many.query_params
    assert many.button(key="many.start").label == "Caption 11 photos"


def test_the_table_survives_a_visit_to_another_page_and_a_reload(many):
    many.button(key="many.start").click().run()
    many.session_state["many.session"].table.correct("one.jpg", "a kite")
    many.switch_page("pages/explore/gallery.py").run()
    many.switch_page("pages/library/many.py").run()
    assert not many.exception
    assert table_of(many)["caption"][0] == "a kite"
    assert len(many.get("download_button")) == 4

    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    again.query_params["many.session"] = many.query_params["many.session"]
    again.switch_page("pages/library/many.py").run()
    assert list(table_of(again)["caption"]) == list(table_of(many)["caption"])
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    other.query_params["many.session"] = "guessed"
    assert not other.switch_page("pages/library/many.py").run().dataframe


def test_the_least_sure_come_first_and_a_corrected_one_stays_in_its_place(many):
    many.button(key="many.start").click().run()
    table = many.session_state["many.session"].table
    for number, (photo, row) in enumerate(list(table.rows.items())[2:]):
        level = "not sure" if number < 3 else "sure"
        table.rows[photo] = replace(row, confidence=0.9 - number / 10, level=level)
    many.toggle(key="many.least_sure").set_value(True).run()
    assert list(table_of(many)["photo"])[:2] == ["in/8.jpg", "in/7.jpg"]
    many.segmented_control(key="many.show").set_value("Not sure").run()
    assert list(table_of(many)["photo"]) == ["in/2.jpg", "in/1.jpg", "in/0.jpg"]
    table.correct("in/1.jpg", "a kite")
    many.run()
    assert list(table_of(many)["caption"])[1] == "a kite"
    many.segmented_control(key="many.show").set_value("Not read").run()
    assert list(table_of(many)["photo"]) == ["notes.jpg"]


def test_captions_are_reviewed_one_by_one_with_a_history(many):
    many.button(key="many.start").click().run()
    many.segmented_control(key="many.layout").set_value("One by one").run()
    assert many.toggle(key="many.review_least_sure").value  # otherwise in the order of upload
    many.toggle(key="many.review_least_sure").set_value(False).run()
    machine = many.text_input(key="many.review").value
    assert "Photo 1 of 10: one" in visible(many) and not many.dataframe
    many.text_input(key="many.review").set_value("a kite")
    many.button(key="many.review.accept").click().run()
    many.button(key="many.review.accept").click().run()
    assert not many.exception
    table = many.session_state["many.session"].table
    assert (table.rows["one.jpg"].by, table.rows["in/0.jpg"].by) == ("person", "tiny")
    assert table.accepted == {"in/0.jpg"}
    assert "Photo 3 of 10" in visible(many)
    many.button(key="many.review.previous").click().run()
    assert "Accepted" in visible(many)
    many.button(key="many.review.previous").click().run()
    history = many.table[0].value
    assert list(history["History"]) == [machine.replace(".", r"\."), "a kite"]
    assert list(history["By"]) == ["tiny", "a person"]


def test_a_folder_is_uploaded_whole(two_models, jpeg):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["many.model"] = "tiny"
    app.switch_page("pages/library/many.py").run()
    app.segmented_control(key="many.upload_way").set_value("A folder").run()
    app.file_uploader(key="many.folder").upload("trip/one.jpg", jpeg("red")).run()
    app.button(key="many.start").click().run()
    assert list(table_of(app)["photo"]) == ["trip/one.jpg"]


def test_words_are_replaced_in_all_captions_and_that_is_undone(many):
    many.button(key="many.start").click().run()
    before = list(table_of(many)["caption"])
    word = before[0].split()[0]
    many.text_input(key="many.find").set_value(word)
    many.text_input(key="many.by").set_value("Zebra")
    many.button(key="many.replace").click().run()
    assert not many.exception
    assert table_of(many)["caption"][0].startswith("Zebra")
    many.button(key="many.undo").click().run()
    assert list(table_of(many)["caption"]) == before


def test_photos_brought_later_are_captioned_without_the_others(many, encoded, jpeg):
    many.button(key="many.start").click().run()
    assert encoded == [8, 8]
    many.file_uploader(key="many.upload").upload("late.jpg", jpeg("green"))
    many.run()
    assert many.button(key="many.start").label == "Caption 1 photo"
    many.button(key="many.start").click().run()
    assert encoded == [8, 8, 8]
    assert list(table_of(many)["photo"])[-1] == "late.jpg"


def test_a_damaged_zip_is_reported(many):
    many.file_uploader(key="many.upload").upload("bad.zip", b"PK nonsense")
    many.run()
    assert "zip cannot be read" in visible(many)
