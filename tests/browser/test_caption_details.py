"""What only a browser shows: the voice, the download, and the tree."""

from pathlib import Path

import pytest

from captioning.image_metadata import MACHINE_MADE, read_caption
from captioning.images import read_image
from captioning.text import clean, tokenize

RECORD_SPEECH = """
window.spoken = [];
window.speechSynthesis.speak = (words) => { window.spoken.push(words.text); };
"""


@pytest.fixture(scope="session")
def jpeg(tmp_path_factory, photo):
    path = tmp_path_factory.mktemp("photos") / "kite.jpg"
    photo.resize((300, 200)).save(path, "JPEG")
    return path


def open_part(tab, server, part, photo):
    link = f"caption.model=tiny&caption.begin=the+red&caption.closer={part.replace(' ', '+')}"
    tab.goto(f"{server}/caption?{link}")
    tab.locator("input[type=file]").set_input_files(photo)
    return tab.get_by_role("heading", level=1).inner_text()


def test_the_voice_says_first_that_a_machine_wrote(warm_server, tab, jpeg):
    tab.add_init_script(RECORD_SPEECH)
    sentence = open_part(tab, warm_server, "Export", jpeg)
    tab.get_by_role("button", name="Read it aloud").click()
    (spoken,) = tab.evaluate("window.spoken")
    assert clean(spoken) == clean(MACHINE_MADE + sentence)


def test_the_downloaded_copy_carries_the_caption_and_the_same_picture(warm_server, tab, jpeg):
    sentence = open_part(tab, warm_server, "Export", jpeg)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="The photo with its caption inside").click()
    copy = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == "kite-captioned.jpg"
    stored = read_caption(copy)
    assert (clean(stored.text), stored.machine_made) == (clean(sentence), True)
    assert stored.writer == "tiny"
    assert read_image(copy).tobytes() == read_image(jpeg).tobytes()


def test_the_tree_is_drawn(warm_server, tab, jpeg):
    sentence = open_part(tab, warm_server, "Search tree", jpeg)
    tree = tab.get_by_test_id("stGraphVizChart").locator("svg")
    tree.wait_for()
    for word in tokenize(sentence):
        assert tree.get_by_text(word, exact=True).count()
