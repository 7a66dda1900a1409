"""A person with a photo, in a real browser, from a cold server."""

import json
import subprocess
import sys

import pytest

from app import PAGES
from captioning.images import read_image
from captioning.text import sentence

GALLERY = "caption.model=tiny&caption.source=Gallery&caption.photo=shapes_00009.png"


@pytest.fixture(scope="session")
def jpeg(tmp_path_factory, photo):
    """A real JPEG, drawn here, turned by EXIF as phones do."""
    path = tmp_path_factory.mktemp("photos") / "holiday_1.jpg"
    exif = photo.getexif()
    exif[0x0112] = 8
    photo.resize((900, 600)).save(path, "JPEG", exif=exif)
    return path


def caption_on_the_command_line(photo, home):
    command = [sys.executable, "-m", "captioning", "caption", str(photo), "--json"]
    command += ["--model", str(home / "models" / "tiny")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["caption"]


def test_the_first_page_takes_a_photo_and_shows_its_caption(server, tab, home, jpeg):
    tab.goto(f"{server}/?caption.model=tiny")
    tab.locator("input[type=file]").set_input_files(jpeg)
    written = tab.get_by_role("heading", level=1).inner_text()
    assert written == sentence(caption_on_the_command_line(jpeg, home))

    tab.get_by_text("Written by tiny").wait_for()
    tab.get_by_text("What else it considered").wait_for()
    chart = tab.get_by_test_id("stVegaLiteChart").locator("svg, canvas").first
    assert chart.bounding_box()["height"] > 20
    # A photo is never stretched: the picture on the page has the photo's proportions.
    shown = tab.get_by_role("img", name="The photo holiday_1.jpg").bounding_box()
    width, height = read_image(jpeg).size
    assert shown["width"] / shown["height"] == pytest.approx(width / height, rel=0.02)


def test_the_first_request_may_be_a_deep_link(server, tab):
    tab.goto(f"{server}/caption?{GALLERY}")
    assert tab.get_by_role("heading", level=1).inner_text()
    frame = tab.get_by_test_id("stSidebarNav")
    for section in PAGES:
        assert frame.get_by_role("link", name=section, exact=True).is_visible()
    assert tab.get_by_role("dialog").count() == 0
    assert tab.get_by_text("Page not found").count() == 0
    assert tab.url.endswith(GALLERY)
    frame.get_by_role("link", name="Explore").click()
    tab.get_by_role("heading", name="Gallery").wait_for()


def test_a_file_that_is_no_photo_gets_a_plain_message(server, tab, tmp_path, jpeg):
    notes, nothing = tmp_path / "my_notes_2.jpg", tmp_path / "nothing.png"
    notes.write_text("This is no photo.")
    nothing.touch()
    tab.goto(f"{server}/caption?caption.model=tiny")
    tab.locator("input[type=file]").set_input_files([notes, nothing])
    tab.get_by_text("The photo 'my_notes_2.jpg' is not a picture").wait_for()
    tab.get_by_text("The photo 'nothing.png' is empty").wait_for()
    assert tab.get_by_text("Traceback").count() == 0

    tab.reload()
    tab.locator("input[type=file]").set_input_files(jpeg)
    assert tab.get_by_role("heading", level=1).inner_text()


def test_a_camera_shot_is_captioned(warm_server, tab):
    tab.goto(f"{warm_server}/caption?caption.model=tiny&caption.source=Camera")
    # A click before the camera sends its first picture takes nothing.
    tab.wait_for_function("document.querySelector('video')?.videoWidth > 0")
    tab.get_by_role("button", name="Take Photo").click()
    tab.get_by_role("button", name="Clear photo").wait_for()
    assert tab.get_by_role("heading", level=1).inner_text()


def test_settings_survive_in_the_link(warm_server, tab, jpeg):
    tab.goto(f"{warm_server}/caption?caption.model=tiny&caption.beam_width=5")
    tab.locator("input[type=file]").set_input_files(jpeg)
    tab.get_by_text("How this sentence was chosen").click()
    tab.get_by_text("with beam width 5").wait_for()
    tab.get_by_role("button", name="Settings").click()
    tab.get_by_role("slider", name="Beam width").press("ArrowLeft")
    tab.get_by_text("with beam width 4").wait_for()
    assert "caption.beam_width=4" in tab.url


def test_a_pasted_photo_is_captioned_and_still_there_after_a_visit_elsewhere(
    warm_server, tab, jpeg
):
    tab.goto(f"{warm_server}/caption?caption.model=tiny")
    tab.get_by_test_id("stFileUploader").wait_for()
    tab.evaluate(
        """bytes => {
            const clipboardData = new DataTransfer();
            const file = new File([new Uint8Array(bytes)], "image.jpg", { type: "image/jpeg" });
            clipboardData.items.add(file);
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        list(jpeg.read_bytes()),
    )
    written = tab.get_by_role("heading", level=1).inner_text()
    frame = tab.get_by_test_id("stSidebarNav")
    frame.get_by_role("link", name="Explore").click()
    tab.get_by_role("heading", name="Gallery").wait_for()
    frame.get_by_role("link", name="Caption").click()
    tab.get_by_role("img", name="The photo image.jpg").wait_for()
    assert tab.get_by_role("heading", level=1).inner_text() == written


def test_nothing_of_the_sidebar_is_below_the_fold_of_a_laptop(warm_server, tab):
    tab.set_viewport_size({"width": 1366, "height": 768})
    tab.goto(warm_server)
    links = tab.get_by_test_id("stSidebarNav").get_by_role("link")
    links.nth(len(PAGES) - 1).wait_for()
    assert links.count() == len(PAGES)
    assert all(link.bounding_box()["y"] < 700 for link in links.all())
    assert tab.get_by_text("Drop a photo, paste one, or take one").bounding_box()["y"] < 300


def test_a_phone_shows_the_whole_page_without_scrolling_sideways(warm_server, tab, jpeg):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{warm_server}/caption?caption.model=tiny")
    tab.locator("input[type=file]").set_input_files(jpeg)
    # The sentence is in view without scrolling.
    box = tab.get_by_role("heading", level=1).bounding_box()
    assert box["y"] + box["height"] < 844
    tab.get_by_text("What else it considered").wait_for()
    wide = tab.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert wide <= 0
