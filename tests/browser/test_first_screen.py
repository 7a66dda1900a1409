"""Paths that a newcomer without data takes, each clicked from the first screen."""

import json
import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from captioning.caption import Word
from pages.ui.samples import PHOTO_SAMPLES, sample_file, true_sentences

LEVELS = ("Sure:", "Fairly sure:", "Not sure:")


def follow(tab, *links):
    """Click links of the sidebar, tabs or cards, one after another."""
    for link in links:
        tab.get_by_role("link", name=link, exact=True).first.click()


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


def test_without_data_pages_say_that_shapes_are_drawn_and_offer_photos(tab, warm_server):
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


def test_a_lesson_opens_with_the_photo_that_was_captioned(tab, warm_server):
    caption_sample(tab, warm_server, "cat")
    follow(tab, "Learn", "1. Overview")
    tab.get_by_role("img", name="The photo cat").wait_for()
    assert tab.get_by_role("combobox", name=re.compile("Photo")).input_value() == "cat"


def test_a_round_of_the_class_game_is_opened(tab, warm_server):
    tab.goto(warm_server)
    follow(tab, "Learn", "Class game")
    tab.get_by_role("button", name="Caption this").nth(PHOTO_SAMPLES.index("cat")).click()
    person = tab.get_by_label("A person's caption, hidden among the others")
    expect(person).to_have_value(true_sentences("cat")[0])
    tab.get_by_role("button", name="Open the round").click()
    tab.get_by_text("The link for the class.").wait_for()
    assert "play.teacher=" in tab.url
