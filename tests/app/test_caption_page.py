"""The Caption page, from a photo brought in any way to its sentence or a plain message."""

import pytest

from captioning import images
from captioning.errors import BundleError, WeightsError
from pages.ui.pictures import PHOTO_SAMPLES


def visible(app):
    """All text the page shows."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.text)
    return "\n".join(element.value for kind in kinds for element in kind)


def upload(app, *files):
    for name, content in files:
        app.file_uploader(key="caption.upload").upload(name, content)
    return app.run()


@pytest.fixture
def page(model, open_page):
    app = open_page()
    assert not app.exception
    return app


def test_a_photo_is_answered_with_its_sentence_as_the_title(page, jpeg):
    upload(page, ("dog.jpg", jpeg("red")))
    assert not page.exception
    assert [title.value for title in page.title] == [r"A red a\."]
    shown = visible(page)
    assert "tiny" in shown and "0.42 s" in shown
    assert "0.90%" in shown  # 0.9 x 0.5 x 0.02


def test_the_code_shown_is_what_ran_and_none_before_a_photo(page, jpeg, captioner):
    assert not [box for box in page.expander if "just ran" in box.label]
    upload(page, ("dog.jpg", jpeg("red")))
    (label,) = [box.label for box in page.expander if "just ran" in box.label]
    names = label.replace("\\", "").removeprefix("The code that just ran: ")
    ran = ("encode", "trace", "rank", "with_neutral_words")
    assert names == ", ".join(f"Captioner.{method}" for method in ran)
    assert (captioner.encoded, captioner.captions) == ([1], [("tiny", 3)])


def test_a_photo_is_decoded_once_for_its_caption(page, jpeg, monkeypatch):
    decoded = []
    decode = images._decode
    monkeypatch.setattr(
        images, "_decode", lambda data, *rest: decoded.append(data) or decode(data, *rest)
    )
    upload(page, ("dog.jpg", jpeg("red")))
    assert page.title[0].value == r"A red a\."
    assert decoded.count(jpeg("red")) == 1


def test_the_model_is_loaded_before_the_photo_comes(page, captioner):
    assert captioner.loads == ["tiny"] and not captioner.captions


def test_photo_and_caption_are_still_there_after_a_visit_to_another_page(page, jpeg, captioner):
    upload(page, ("dog.jpg", jpeg("red")))
    page.switch_page("pages/explore/gallery.py").run()
    page.switch_page("pages/caption/caption.py").run()
    assert not page.exception
    assert page.title[0].value == r"A red a\."
    assert len(captioner.captions) == 1

    page.button(key="caption.back").click().run()
    assert not page.title and page.file_uploader


def test_the_next_photo_takes_the_place_of_the_last(page, jpeg):
    upload(page, ("dog.jpg", jpeg("red")))
    page.file_uploader[0].upload("sky.jpg", jpeg("blue")).run()
    assert [title.value for title in page.title] == [r"A blue a\."]


def test_too_many_photos_are_pointed_to_where_all_are_captioned(page, jpeg):
    upload(page, *((f"{n}.jpg", jpeg("red")) for n in range(26)))
    assert len(page.header) == 24
    assert "2 photos more" in visible(page)
    assert "Caption all of them in Many photos" in [
        link.proto.label for link in page.get("page_link")
    ]


def test_the_other_beams_stand_below_with_their_probabilities(page, jpeg):
    upload(page, ("dog.jpg", jpeg("red")))
    (table,) = [text.value for text in page.markdown if text.value.startswith("| Probability")]
    _, _, *rows = table.splitlines()
    assert rows == [r"| 0.10% | Another sentence 1\. |", r"| 0.10% | Another sentence 2\. |"]


def test_each_word_has_its_probability_for_the_eye_and_for_the_ear(page, jpeg):
    upload(page, ("dog.jpg", jpeg("red")))
    (chart,) = page.get("vega_lite_chart")
    for word in ("a 90%", "red 50%", "a 2.0%"):
        assert word in chart.proto.alt


def test_several_photos_are_captioned_and_a_bad_one_stops_none(page, jpeg):
    upload(
        page,
        ("one.jpg", jpeg("red")),
        ("my_notes_2.jpg", b"no photo at all"),
        ("empty.png", b""),
        ("two.jpg", jpeg("blue")),
    )
    assert not page.exception
    assert [header.value for header in page.header] == [r"A red a\.", r"A blue a\."]
    notes, empty = (error.value.replace("\\", "") for error in page.error)
    assert "my_notes_2.jpg" in notes and "not a picture" in notes
    assert "empty.png" in empty and "0 bytes" in empty
    page.selectbox(key="caption.one").set_value(1).run()
    assert page.session_state["photos.captioned"].picture.name == "two.jpg"
    assert page.segmented_control(key="caption.closer").options


def test_a_file_name_is_never_read_as_markdown(page):
    upload(page, ("a_b_:material[x].jpg", b"no photo"))
    assert r"a\_b\_\:material\[x\]\.jpg" in page.error[0].value


def test_a_rerun_does_not_caption_again_and_other_settings_do(page, jpeg, captioner):
    upload(page, ("dog.jpg", jpeg("red")))
    page.run()
    page.slider(key="caption.beam_width").set_value(5).run()
    page.slider(key="caption.beam_width").set_value(3).run()
    assert captioner.captions == [("tiny", 3), ("tiny", 5)]
    assert captioner.loads == ["tiny"]
    assert captioner.encoded == [1]


def test_with_a_beam_of_one_there_is_no_second_sentence(page, jpeg):
    page.slider(key="caption.beam_width").set_value(1)
    upload(page, ("dog.jpg", jpeg("red")))
    assert "| Probability" not in visible(page)
    assert "only one sentence" in visible(page)


def test_a_link_sets_the_beam_width(model, open_page, jpeg, captioner):
    app = open_page(**{"caption.beam_width": "7"})
    upload(app, ("dog.jpg", jpeg("red")))
    assert captioner.captions == [("tiny", 7)]


def test_a_camera_shot_is_captioned(model, open_page, jpeg):
    app = open_page(**{"caption.source": "Camera"})
    app.camera_input(key="caption.camera").upload("shot.jpg", jpeg("green")).run()
    assert not app.exception
    assert app.title[0].value == r"A green a\."


def test_the_gallery_offers_generated_photos_where_there_is_no_data_set(model, open_page, home):
    app = open_page(**{"caption.source": "Gallery"})
    assert not app.exception
    picks = [button for button in app.button if button.key.startswith("caption.pick.")]
    assert len(picks) == 12
    picks[2].click().run()
    assert not app.exception
    assert len(app.title) == 1
    assert app.query_params["caption.photo"] in picks[2].key

    app.button(key="caption.back").click().run()
    assert "caption.photo" not in app.query_params
    assert not app.title


def test_a_visitor_without_a_photo_takes_a_sample(model, open_page, jpeg):
    app = open_page()
    picks = [button.key for button in app.button if button.key.startswith("caption.pick.")]
    assert picks == [f"caption.pick.{name}" for name in PHOTO_SAMPLES]
    app.button(key="caption.pick.cat").click().run()
    assert not app.exception
    assert len(app.title) == 1 and app.query_params["caption.sample"] == "cat"

    app.button(key="caption.back").click().run()
    assert not app.title and "caption.sample" not in app.query_params
    app.button(key="caption.pick.dogs").click().run()
    upload(app, ("mine.jpg", jpeg("red")))
    assert app.title[0].value == r"A red a\." and "caption.sample" not in app.query_params


@pytest.mark.parametrize("name", ["gone", "../camera", ""])
def test_a_link_to_a_photo_the_app_has_not_offers_those_it_has(model, open_page, name):
    app = open_page(**{"caption.sample": name})
    assert not app.exception and not app.title
    assert app.button(key="caption.pick.dogs")


def test_the_gallery_shows_the_chosen_data_set(model, open_page, home, shapes):
    (home / "flickr8k").symlink_to(shapes.root)
    app = open_page(**{"caption.source": "Gallery"})
    picks = [b.key for b in app.button if b.key.startswith("caption.pick.")]
    assert picks == [f"caption.pick.{photo.name}" for photo in shapes.split("test")]


def test_a_link_opens_a_photo_of_the_gallery(model, open_page):
    query = {"caption.source": "Gallery", "caption.photo": "shapes_00009.png"}
    app = open_page(**query)
    assert not app.exception
    assert len(app.title) == 1


@pytest.mark.parametrize("name", ["gone.jpg", "../../../etc/passwd", ""])
def test_a_link_to_a_photo_that_is_not_there_is_answered_plainly(model, open_page, name):
    app = open_page(**{"caption.source": "Gallery", "caption.photo": name})
    assert not app.exception
    assert "has no photo" in app.error[0].value


def test_without_a_model_the_page_says_how_to_get_one(captioner, open_page):
    app = open_page()
    assert not app.exception
    assert "There is no model here yet" in visible(app)
    assert not captioner.loads


@pytest.mark.parametrize(
    "failure",
    [
        WeightsError("The weights are not here. There are three ways:\n1. Connect.\n2. Copy_it."),
        BundleError("models/tiny: decoder.safetensors is damaged."),
    ],
)
def test_a_model_that_cannot_be_loaded_says_so_once(model, open_page, jpeg, captioner, failure):
    captioner.failure = failure
    page = open_page()
    assert not page.exception and not page.error  # until there is something to caption
    upload(page, ("one.jpg", jpeg("red")), ("two.jpg", jpeg("blue")))
    assert not page.exception
    (error,) = page.error
    assert error.value.replace("\\", "").replace("  \n", "\n") == str(failure)


def test_the_model_picker_appears_with_a_second_model(
    page, home, write_tiny_bundle, open_page, jpeg, captioner
):
    assert not page.selectbox
    write_tiny_bundle(home / "models" / "other")
    import streamlit as st

    st.cache_resource.clear()
    app = open_page(**{"caption.model": "tiny"})
    assert app.selectbox(key="caption.model").value == "tiny"
    upload(app, ("dog.jpg", jpeg("red")))
    app.selectbox(key="caption.model").set_value("other").run()
    assert captioner.captions == [("tiny", 3), ("other", 3)]


def test_a_link_to_a_model_that_cannot_be_used_says_why(model, open_page, home):
    (home / "models" / "broken").mkdir()
    (home / "models" / "broken" / "config.json").write_text("{")
    for name, reason in [
        ("broken", "not valid JSON"),
        ("nowhere", "no model called"),
        ("../models/broken", "not as"),
    ]:
        app = open_page(**{"caption.model": name})
        assert not app.exception
        assert reason in app.error[0].value.replace("\\", "")


def test_about_the_model_shows_its_card(page):
    page.button(key="caption.about").click().run()
    assert not page.exception
    shown = visible(page)
    assert "# tiny" in shown and "17 words" in shown
    assert "<!--" not in shown


def test_a_model_without_a_card_shows_its_scores_with_their_protocol(
    model, open_page, write_tiny_bundle
):
    write_tiny_bundle(model.folder, metrics=model.metrics, card="")
    app = open_page()
    app.button(key="caption.about").click().run()
    shown = visible(app).replace("\\", "")
    assert "BLEU-4 21.7" in shown and "1,000 photos of flickr8k, test split" in shown


def test_uncertain_details_are_left_out_and_named(page, jpeg, captioner):
    (switch,) = [toggle for toggle in page.toggle if toggle.key == "caption.certain"]
    assert switch.label == "Leave out uncertain details" and not switch.value
    switch.set_value(True).run()
    captioner.written = [("a", 0.9), ("red", 0.3), ("dog", 0.8), ("in", 0.9), ("snow", 0.1)]
    upload(page, ("dog.jpg", jpeg("red")))
    shown = visible(page)
    assert "Left out, because the model is less than 40% sure" in shown
    assert "red; in snow." in shown
    assert "The model doubts the words in italics" not in shown  # snow is not in the sentence
