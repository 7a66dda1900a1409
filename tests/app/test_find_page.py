"""The Find photos page: four ways to look, in a data set and in a visitor's own photos."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from captioning.captioner import Captioner
from captioning.datasets import generate_shapes
from captioning.images import read_image
from captioning.retrieval import EncodedPhotos, read_sentence
from pages.library import find_by
from pages.library.find_by import EXAMPLE, marked, spoken_gains
from pages.ui.photos import Captioned
from pages.ui.pictures import Picture

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shapes_here(home):
    """Forty shapes in the data folder: 32 train, 4 dev, 4 test."""
    return generate_shapes(home / "shapes", count=40, seed=3)


@pytest.fixture
def open_page(home, shapes_here, write_tiny_bundle):
    """A function that opens the page with a small real model of random weights."""
    write_tiny_bundle(home / "models" / "tiny")

    def open_(**query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        for key, value in {"model": "tiny", "split": "all", **query}.items():
            app.query_params[f"find.{key}"] = value
        app = app.switch_page("pages/library/find.py").run()
        assert not app.exception
        return app

    return open_


def shown(app):
    kinds = ("header", "markdown", "caption", "info", "error")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def found(app):
    return [b.key.removeprefix("find.like.") for b in app.button if "find.like." in (b.key or "")]


def test_without_a_sentence_the_page_says_what_the_ways_are(open_page):
    assert "people's captions" in shown(open_page())


def test_words_of_people_find_photos_and_are_marked(open_page, shapes_here):
    app = open_page(sentence="two red circles")
    names = found(app)
    assert 0 < len(names) <= 12
    for name in names:
        text = " ".join(shapes_here[name].captions)
        assert any(word in text for word in ("two", "red", "circle"))
    assert ":primary-background[" in shown(app)
    assert "BM25" in shown(app)


def test_a_split_is_looked_in_alone(open_page, shapes_here):
    names = found(open_page(sentence="a red circle", split="test"))
    assert names
    assert all(shapes_here[name].split == "test" for name in names)


def test_the_models_probability_finds_what_the_library_finds(open_page, shapes_here):
    app = open_page(by=find_by.MODEL, sentence="the red circle", split="train")
    model = Captioner.load("tiny")
    photos = shapes_here.split("train")
    encoded = EncodedPhotos.in_memory(
        [p.name for p in photos],
        model.encode([read_image(shapes_here.path(p)) for p in photos]),
    )
    best = read_sentence(model, encoded, "the red circle").best(3)
    assert found(app)[:2] == [encoded.names[hit.place] for hit in best][:2]
    assert "×" in shown(app)


def test_an_unknown_word_is_reported(open_page):
    app = open_page(by=find_by.MODEL, sentence="a red zebra")
    assert "ignores them: zebra" in shown(app)
    assert "knows no word" in shown(open_page(by=find_by.MODEL, sentence="zebras"))


def test_the_models_captions_are_written_once_asked_and_searched(open_page):
    app = open_page(by=find_by.MACHINE, sentence="red", split="test")
    assert not found(app)
    app.button(key="find.write").click().run()
    assert not app.exception
    assert "BM25" in shown(app) or "No photo was found" in shown(app)


def test_more_like_this_looks_by_the_photo(open_page):
    app = open_page(sentence="red circle")
    name = found(app)[0]
    app.button(key=f"find.like.{name}").click().run()
    assert not app.exception
    assert app.segmented_control(key="find.by").value == EXAMPLE
    assert name not in found(app)
    assert len(found(app)) == 12
    assert "Cosine" in shown(app)


def test_the_photo_captioned_last_is_the_first_example(open_page, jpeg):
    app = open_page()
    assert "Generated sentences" in app.segmented_control(key="find.by").options
    app.session_state["photos.captioned"] = Captioned(
        Picture("mine.jpg", jpeg("red")), None, "tiny"
    )
    app.segmented_control(key="find.by").set_value(EXAMPLE).run()
    assert not app.exception
    assert len(found(app)) == 12 and "Cosine" in shown(app)


def test_a_visitors_photos_stay_with_the_visitor(open_page, jpeg):
    app = open_page(where="My photos", by=find_by.MODEL, sentence="the red circle")
    assert "deleted when this session ends" in shown(app)
    files = [(f"{c}.jpg", jpeg(c), "image/jpeg") for c in ("red", "green", "blue")]
    app.file_uploader(key="find.upload").set_value(files).run()
    assert not app.exception
    assert sorted(found(app)) == ["blue.jpg", "green.jpg", "red.jpg"]
    # Taken away, nothing of them is left.
    app.file_uploader(key="find.upload").set_value(files[:1]).run()
    own = app.session_state["find.own"]
    assert list(own.small) == list(own.files) == ["red.jpg"]
    assert [list(seen) for seen in own.seen.values()] == [["red.jpg"]]
    # Nobody else sees them.
    other = open_page(where="My photos", by=find_by.MODEL, sentence="the red circle")
    assert found(other) == []


def test_a_visitors_photos_are_found_by_what_the_model_writes(open_page, jpeg):
    app = open_page(where="My photos", by=find_by.MACHINE, sentence="the a two red of left")
    files = [(f"{c}.jpg", jpeg(c), "image/jpeg") for c in ("red", "green")]
    app.file_uploader(key="find.upload").set_value(files).run()
    assert not app.exception
    assert found(app)
    assert find_by.HUMAN not in app.segmented_control(key="find.by").options  # nobody wrote any


def test_an_example_from_outside_finds_photos_of_the_set(open_page, jpeg):
    app = open_page(by=EXAMPLE)
    app.file_uploader(key="find.example_file").set_value(("e.jpg", jpeg("red"), "image/jpeg")).run()
    assert not app.exception
    assert len(found(app)) == 12
    assert "Cosine" in shown(app)


def test_recall_is_measured_on_demand(open_page):
    app = open_page(split="test")
    app.button(key="find.measure").click().run()
    assert not app.exception
    table = app.table[-1].value
    assert table["Looking for"].tolist()[0] == "The photo of a sentence"
    assert table["R@5"].tolist()[0].startswith("100%")  # among four
    assert "4 queries in each direction" in shown(app)


def test_words_are_marked_in_any_form():
    assert marked("Dogs *ran*.", "a dog running").startswith(":primary-background[Dogs]")


def test_gains_are_written_with_the_words():
    from captioning.retrieval import WordGain

    text = spoken_gains([WordGain("a", 0.0), WordGain("dog", 3.5), WordGain("x_y", None)])
    assert "a :small[:gray[×1.0]]" in text
    assert ":primary-background[dog] :small[×33]" in text
    assert "x\\_y :small[:gray[unknown]]" in text
