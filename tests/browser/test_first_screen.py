"""Paths that a newcomer without data takes, each clicked from the first screen."""

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from captioning.caption import Word
from pages.ui.pictures import PHOTO_SAMPLES, sample_file

LEVELS = ("Sure:", "Fairly sure:", "Not sure:")


def caption_sample(tab, server, name):
    """Click on the sample photo of this name on the first screen."""
    tab.goto(server)
    tab.get_by_role("button", name="Caption this").nth(PHOTO_SAMPLES.index(name)).click()
    tab.get_by_text("Written by everyday").wait_for()


@pytest.mark.parametrize("name", ["camera", "dogs"])
def test_confidence_is_one_word_and_doubted_words_are_marked_in_the_sentence(
    tab, warm_server, name
):
    command = [sys.executable, "-m", "captioning", "caption", str(sample_file(name)), "--json"]
    done = subprocess.run(
        [*command, "--model", "everyday"], capture_output=True, text=True, check=True
    )
    caption = json.loads(done.stdout)
    caption_sample(tab, warm_server, name)
    level = f"{caption['level'].capitalize()}:"
    tab.get_by_text(level, exact=True).wait_for()
    for other in set(LEVELS) - {level}:
        assert tab.get_by_text(other, exact=True).count() == 0
    shown = caption.get("neutral") or caption["caption"]
    doubted = [w["word"] for w in caption["words"] if Word(**w).is_doubted]
    marked = tab.get_by_role("heading", level=1).locator("em").all_inner_texts()
    assert [word.lower() for word in marked] == [w for w in doubted if w in shown.split()]


def test_without_data_pages_say_that_shapes_are_drawn_and_offer_photos(tab, warm_server, follow):
    tab.goto(warm_server)
    for way in (("Library", "Find photos"), ("Explore",), ("Evaluate",)):
        follow(tab, *way)
        said = tab.get_by_text("Drawn shapes with generated sentences")
        said.wait_for()
        assert said.bounding_box()["y"] < 450
        assert tab.get_by_text("people wrote").count() == 0
    tab.get_by_role("button", name="Evaluate shapes on").wait_for()  # the model that fits them
    follow(tab, "Get Flickr8k")
    tab.get_by_role("heading", name="Get data").wait_for()


def test_a_lesson_opens_with_the_photo_that_was_captioned(tab, warm_server, follow):
    caption_sample(tab, warm_server, "cat")
    follow(tab, "Learn", "1. Overview")
    tab.get_by_role("img", name="The photo cat").wait_for()
    assert tab.get_by_role("combobox", name=re.compile("Photo")).input_value() == "cat"


def test_labels_are_whole_grids_are_full_and_photos_are_compared_by_an_encoder(
    tab, warm_server, follow
):
    tab.goto(warm_server)
    follow(tab, "Explore")
    tab.get_by_role("radio", name="train").click()
    photos = tab.get_by_test_id("stMain").get_by_test_id("stImage")
    photos.nth(23).wait_for()
    assert not tab.get_by_text("…").count()
    rows = Counter(round(photo.bounding_box()["y"]) // 20 for photo in photos.all())
    assert len(set(rows.values())) == 1
    follow(tab, "Open this photo")
    tab.get_by_text("By the cosine between").wait_for()
    assert "pixel" not in tab.get_by_text("By the cosine between").inner_text()


def test_the_model_is_described_plainly_and_its_words_are_counted_alike(tab, warm_server, follow):
    caption_sample(tab, warm_server, "cat")
    tab.get_by_text("Why this sentence", exact=True).click()
    tab.get_by_text("It can still be wrong.").wait_for()
    tab.get_by_role("button", name="About the model").click()
    said = tab.get_by_role("dialog").get_by_text("looks at a photo and writes").inner_text()
    (words,) = re.findall(r"knows ([\d,]+) words", said)
    tab.keyboard.press("Escape")
    follow(tab, "Learn", "3. Words")
    tab.get_by_text(f"This model knows {words} words").wait_for()
