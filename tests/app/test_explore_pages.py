"""The Explore pages: from nothing, on shapes, with a broken data set, with and without a model."""

import json
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import app as frame
from captioning.analysis.bleu import draw_bleu
from captioning.analysis.caption_index import build_index
from captioning.analysis.search import find
from captioning.datasets import generate_shapes, load_named
from pages.ui.wording import plain

ROOT = Path(__file__).parents[2]
PAGES = ("gallery", "photo", "search", "statistics", "character", "data")
TABS = frame.PAGES["Explore"]
TOPICS = {
    "statistics.topic": [
        "Lengths", "Words", "Zipf's law", "Vocabulary", "Splits", "Openings", "Colours", "People",
    ],
    "character.topic": ["Agreement", "Misspellings", "Near-duplicates", "Loaded words"],
}  # fmt: skip


@pytest.fixture
def open_explore():
    """A function that opens an Explore page, as a link would."""

    def open_(page, **query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key.replace("__", ".")] = value
        return app.switch_page(f"pages/explore/{page}.py").run()

    return open_


@pytest.fixture
def shapes_here(home):
    """Forty shapes in the data folder: 32 train, 4 dev, 4 test."""
    return generate_shapes(home / "shapes", count=40, seed=3)


def shown(app):
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def links(app):
    """The links of a page, without the tabs above it and the link to real data."""
    return [link.proto.label for link in app.get("page_link")][len(TABS) + 1 :]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_from_nothing_at_all(page, open_explore, home):
    app = open_explore(page)

    assert not app.exception
    assert not app.error
    assert app.header[0].value
    assert (home / "shapes-200-0").is_dir()


@pytest.mark.parametrize("page", PAGES)
def test_a_broken_data_set_is_reported_and_left_unchanged(page, open_explore, home):
    broken = home / "flickr8k"
    (broken / "Images").mkdir(parents=True)
    (broken / "Images" / "a.jpg").write_bytes(b"")
    noise = bytes(range(256)) * 40
    (broken / "captions.txt").write_bytes(noise)
    app = open_explore(page)

    assert not app.exception
    assert len(app.error) >= 1
    assert all(len(error.value) > 20 for error in app.error)
    assert (broken / "captions.txt").read_bytes() == noise


@pytest.mark.parametrize("page", PAGES)
def test_missing_photos_stop_no_page(page, open_explore, shapes_here):
    for photo in shapes_here.split("test"):
        shapes_here.path(photo).write_bytes(b"no picture")

    assert not open_explore(page).exception


def test_photos_that_vanish_after_reading_are_reported(open_explore, shapes_here):
    app = open_explore("gallery")
    for photo in shapes_here.photos:
        shapes_here.path(photo).unlink()
    app.segmented_control(key="gallery.split").set_value("dev").run()
    assert not app.exception
    assert "cannot be opened" in shown(app)

    assert not app.switch_page("pages/explore/photo.py").run().exception
    assert "cannot be opened now" in shown(app)


@pytest.mark.parametrize("page", sorted({*PAGES} - {"data"}))
def test_generated_data_are_called_so_and_real_data_are_a_click_away(
    page, open_explore, shapes_here
):
    app = open_explore(page)
    assert "Drawn shapes with generated sentences" in shown(app)
    assert "Get Flickr8k" in [link.proto.label for link in app.get("page_link")]
    assert "people wrote" not in "".join(heading.value for heading in app.subheader)


def test_photos_that_people_described_are_not_called_generated(open_explore, home, shapes_here):
    real = home / "flickr8k"
    (real / "Images").mkdir(parents=True)
    photo = shapes_here.photos[0]
    (real / "Images" / "a.jpg").write_bytes(shapes_here.path(photo).read_bytes())
    (real / "captions.txt").write_text("image,caption\na.jpg,A dog runs .\n")
    app = open_explore("photo", explore__data="flickr8k")
    assert not app.exception
    assert "Drawn shapes" not in shown(app) and "What people wrote" in shown(app)


def test_the_gallery_shows_a_split_page_by_page(open_explore, shapes_here):
    app = open_explore("gallery", gallery__split="train")
    first = links(app)
    assert len(first) == 24
    app = open_explore("gallery", gallery__split="train", gallery__page="2")
    assert len(links(app)) == 32 - 24

    # A split with fewer pages begins at its first.
    app.segmented_control(key="gallery.split").set_value("test").run()
    assert not app.exception
    assert len(links(app)) == 4


@pytest.mark.parametrize("page", ["99", "-1", "x"])
def test_a_link_to_a_page_of_the_gallery_that_is_not_there_shows_the_first(
    page, open_explore, shapes_here
):
    app = open_explore("gallery", gallery__split="train", gallery__page=page)

    assert not app.exception
    assert len(links(app)) == 24


def test_a_photos_page_shows_its_captions_and_its_neighbours(open_explore, shapes_here):
    photo = shapes_here.split("test")[2]
    app = open_explore("photo", photo__photo=photo.name)

    assert not app.exception
    text = shown(app)
    assert all(plain(caption) in text for caption in photo.captions)
    assert "3 of 4 in test" in text
    assert "16 by 16" in text
    assert len([label for label in links(app) if label]) == 6


def test_photos_are_compared_by_a_models_encoder_where_one_can_run(
    open_explore, shapes_here, home, write_tiny_bundle
):
    write_tiny_bundle(home / "models" / "tiny")
    app = open_explore("photo")
    assert not app.exception
    assert "16 by 16" not in shown(app)
    assert len([label for label in links(app) if label]) == 6


@pytest.fixture
def by_pixels(monkeypatch):
    """Photos are compared by pixels: the fake captioner cannot encode a data set."""
    monkeypatch.setattr("pages.explore.neighbours._encoder", lambda explored: None)


def test_next_and_previous_walk_through_the_split_and_the_link(open_explore, shapes_here):
    names = [photo.name for photo in shapes_here.split("test")]
    app = open_explore("photo", photo__photo=names[0])
    assert app.button(key="photo.previous").disabled
    app.button(key="photo.next").click().run()
    assert app.query_params["photo.photo"] in (names[1], [names[1]])
    assert "2 of 4" in shown(app)
    app.button(key="photo.next").click().run().button(key="photo.next").click().run()
    assert app.button(key="photo.next").disabled
    app.button(key="photo.previous").click().run()
    assert "3 of 4" in shown(app)


def test_a_link_to_a_photo_that_is_not_there_shows_another(open_explore, shapes_here):
    app = open_explore("photo", photo__photo="../../etc/passwd")

    assert not app.exception
    assert "no photo" in app.warning[0].value
    assert "1 of 4 in test" in shown(app)


def test_a_model_is_asked_only_when_wanted(open_explore, shapes_here, model, captioner, by_pixels):
    app = open_explore("photo")
    assert captioner.captions == []
    app.toggle(key="photo.ask").set_value(True).run()
    assert not app.exception
    assert captioner.captions == [("tiny", 3)]

    photo = shapes_here.split("test")[0]
    chart = next(c for c in app.get("vega_lite_chart") if "BLEU-1" in c.proto.alt)
    colour = next(word for word in ("red", "green", "blue") if f"a {word} a" in app_text(app))
    value = 100 * draw_bleu(f"a {colour} a", photo.captions).score.bleu[0]
    assert f"BLEU-1 {value:.1f}" in chart.proto.alt


def app_text(app):
    """The page's text without the colours of matches."""
    import re

    return re.sub(r":\w+(-background)?\[|\]", "", shown(app))


def test_a_model_that_cannot_be_loaded_leaves_the_photo(
    open_explore, shapes_here, model, captioner, by_pixels
):
    from captioning.errors import WeightsError

    captioner.failure = WeightsError("The weights are not here. Fetch them.")
    app = open_explore("photo", photo__ask="true")

    assert not app.exception
    assert app.error[0].value.startswith("The weights are not here")
    assert "Photos that look like it" in shown(app)


@pytest.mark.parametrize("query", ["red", '"a big" NOT red', "len:>9 split:test", "~circles"])
def test_a_search_shows_what_the_library_finds(query, open_explore, shapes_here):
    found = find(build_index(shapes_here), query)
    app = open_explore("search", search__query=query)

    assert not app.exception
    assert f"**{len(found.captions):,} captions** of **{len(found.photos):,} photos**" in shown(app)
    assert links(app)[:-1] == ["Open this photo"] * min(10, len(found.photos))
    assert links(app)[-1] == "Find photos for a sentence"
    if "len" not in query:
        assert "-background[" in shown(app)


@pytest.mark.parametrize("query", ['"open', "NOT", "colour:red", "(", "*"])
def test_a_bad_search_is_answered_with_a_sentence(query, open_explore, shapes_here):
    app = open_explore("search", search__query=query)

    assert not app.exception
    assert len(app.error) == 1


@pytest.mark.parametrize(
    ("key", "topic"), [(key, topic) for key, topics in TOPICS.items() for topic in topics]
)
def test_every_topic_has_something_to_show(key, topic, open_explore, shapes_here):
    app = open_explore(key.split(".")[0])
    app.pills(key=key).set_value(topic).run()

    assert not app.exception
    assert not app.error
    if key == "statistics.topic":
        (chart,) = app.get("vega_lite_chart")
        assert json.loads(chart.proto.spec)["params"][0]["name"] == "bar"
        assert "Click a bar" in shown(app)
        own = {"Zipf's law": "rank to the power of", "Vocabulary": "still covers nearly all words"}
        assert own.get(topic, "") in shown(app)


def test_a_folder_is_checked_before_it_is_used(open_explore, home, tmp_path):
    elsewhere = generate_shapes(tmp_path / "elsewhere", count=20, seed=5)
    app = open_explore("data")
    app.text_input(key="data.folder").set_value(str(tmp_path / "nowhere"))
    app.button(key="data.use").click().run()
    assert not app.exception
    assert "does not exist" in shown(app)

    app.text_input(key="data.folder").set_value(str(elsewhere.root))
    app.button(key="data.use").click().run()
    assert not app.exception
    assert "is ready" in app.success[0].value
    assert "20 photos" in shown(open_explore("gallery", explore__data="elsewhere"))


def test_a_folders_encoding_can_be_chosen(open_explore, home, tmp_path):
    folder = tmp_path / "pets"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.jpg")
    (folder / "captions.csv").write_bytes("image,caption\na.jpg,žluťoučký kůň\n".encode("cp1250"))
    app = open_explore("data")
    app.text_input(key="data.folder").set_value(str(folder))
    app.selectbox(key="data.encoding").set_value("cp1250")
    app.button(key="data.use").click().run()
    assert not app.exception
    assert load_named("pets").photos[0].captions == ("žluťoučký kůň",)
