"""The class game: a teacher's window and a player's phone, from the first screen to the table."""

import re

import pytest
from playwright.sync_api import expect

from pages.ui.pictures import PHOTO_SAMPLES, true_sentences

GIVEN = 3  # captions that nobody of the class wrote: a person's and two models'


@pytest.fixture
def phone(browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()


def open_round(tab, server, follow):
    """Open a round about the sample cat, from the first screen; return the class's address."""
    tab.goto(server)
    follow(tab, "Learn", "Class game")
    tab.get_by_role("button", name="Caption this").nth(PHOTO_SAMPLES.index("cat")).click()
    person = tab.get_by_label("A person's caption, hidden among the others")
    expect(person).to_have_value(true_sentences("cat")[0], timeout=60_000)
    tab.get_by_role("button", name="Open the round").click()
    tab.get_by_text("No players yet.").wait_for()
    return f"{server}/play?{re.search(r'play.round=[^&]+', tab.url).group()}"


def test_a_class_plays_a_round_and_survives_a_reload(tab, phone, warm_server, follow):
    address = open_round(tab, warm_server, follow)

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
    for number in range(1, GIVEN + 1):  # three captions make three pairs
        phone.get_by_text(f"Comparison {number}.").wait_for()
        phone.get_by_test_id("stMain").get_by_test_id("stButton").first.click()
    phone.get_by_role("heading", name="A person or a machine?").wait_for()
    for _ in range(GIVEN):
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
