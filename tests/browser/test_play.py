"""The class game: a teacher's window and a player's phone, from the first caption to the table."""

import re

import pytest

from captioning.play import Rounds
from pages.ui.samples import sample_file

GIVEN = [
    ("person", "a person", "Two brown dogs look out of a window."),
    ("model", "compact", "a dog is running"),
]


@pytest.fixture
def round_(home):
    return Rounds(home).create(sample_file("dogs").read_bytes(), GIVEN)


@pytest.fixture
def phone(browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()


def test_a_class_plays_a_round_and_survives_a_reload(tab, phone, warm_server, round_):
    address = f"{warm_server}/play?play.round={round_.name}"
    tab.goto(f"{address}&play.teacher={round_.teacher}")
    tab.get_by_text("No players yet.").wait_for()

    with phone.expect_websocket() as server:
        phone.goto(address)
    phone.get_by_label("Your name, or a nickname").fill("Ada")
    phone.get_by_label("What does the photo show?").fill("two curly dogs")
    for _ in range(8):  # the page is drawn again meanwhile
        server.value.wait_for_event("framereceived")
    phone.get_by_label("What does the photo show?").press_sequentially(" at a window")
    phone.get_by_role("button", name="Send my caption").click()
    phone.get_by_text("Your caption: two curly dogs").wait_for()
    tab.get_by_text("1 player: Ada").wait_for()  # without a click of the teacher's

    tab.get_by_role("button", name="Start voting").click()
    phone.get_by_role("heading", name="Which caption is better?").wait_for()
    phone.reload()  # the address knows who plays
    phone.get_by_role("button", name="Two brown dogs look out").click()
    phone.get_by_role("heading", name="A person or a machine?").wait_for()
    for _ in range(2):
        asked = phone.get_by_role("heading", level=4).inner_text()
        phone.get_by_role("button", name="A person wrote this").click()
        phone.get_by_text(asked, exact=True).wait_for(state="hidden")
    phone.get_by_text("You have finished").wait_for()
    wide = phone.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390

    tab.get_by_role("button", name="Show the results").click()
    for page in (tab, phone):
        page.get_by_text("Machine taken for a person").wait_for()
        page.get_by_text("100%").first.wait_for()
    with tab.expect_download() as download:
        tab.get_by_role("button", name=re.compile("Results")).click()
    assert download.value.suggested_filename.endswith(".csv")
