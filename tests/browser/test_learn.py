"""The Learn pages in a real browser: for everybody, by a link, and on paper."""

import re

import pytest

from pages.learn.lessons import LESSONS


def open_lesson(tab, server, key, query="learn.model=shapes"):
    tab.goto(f"{server}/{key}?{query}")
    tab.get_by_text("Worksheet to print").wait_for()
    tab.get_by_test_id("stStatusWidget").wait_for(state="hidden")


@pytest.mark.parametrize("key", ["overview", "encoder", "words"])
def test_every_picture_has_words(tab, warm_server, key):
    open_lesson(tab, warm_server, key)
    tab.get_by_role("button", name="Just show me").first.click()
    tab.get_by_test_id("stImage").locator("img").first.wait_for()
    pictures = tab.get_by_test_id("stImage").locator("img")
    assert pictures.count() >= 1
    for picture in pictures.all():
        assert len(picture.get_attribute("alt") or "") > 20


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_a_phone_shows_formulas_whole(tab, warm_server, lesson):
    tab.set_viewport_size({"width": 390, "height": 900})
    open_lesson(tab, warm_server, lesson.key)
    tab.get_by_role("button", name="Just show me").first.click()
    parts = tab.locator(".katex-html > .base")
    parts.first.wait_for()
    tab.get_by_test_id("stStatusWidget").wait_for(state="hidden")
    edges = parts.evaluate_all("all => all.map(part => part.getBoundingClientRect().right)")
    assert max(edges) <= 390


def test_a_guess_by_keyboard_alone(tab, warm_server):
    open_lesson(tab, warm_server, "overview")
    tab.get_by_label("Your guess").focus()
    tab.keyboard.type("zebra")
    tab.keyboard.press("Enter")
    tab.get_by_text("You guessed zebra").wait_for()
    tab.get_by_text("So far you were right 0 of 1 times").wait_for()


def test_a_link_opens_the_lesson_as_the_teacher_left_it(tab, warm_server):
    query = "learn.model=shapes&learn.photo=shapes+2&learn.step=3"
    open_lesson(tab, warm_server, "overview", f"{query}&learn.hide=controls&learn.projector=true")
    assert tab.get_by_text("Your own photo").count() == 0
    assert tab.get_by_role("slider", name="Word to write").input_value() == "3"
    heading = tab.get_by_role("heading", level=1).all_inner_texts()
    assert any(text.startswith("1. Overview") for text in heading)
    # The way on keeps what the link fixed.
    tab.get_by_test_id("stMain").get_by_role("link", name="2. The encoder").last.click()
    tab.wait_for_url("**/encoder?*")
    tab.get_by_text("Worksheet to print").wait_for()
    for part in ("learn.model=shapes", "learn.photo=shapes+2", "learn.hide=controls"):
        assert part in tab.url.replace("%20", "+")
    assert tab.get_by_text("Your own photo").count() == 0


def test_the_photo_chosen_goes_along_by_the_list_of_lessons(tab, warm_server):
    open_lesson(tab, warm_server, "overview", "learn.model=shapes&learn.photo=shapes+3")
    tab.get_by_role("link", name="All lessons").click()
    tab.get_by_role("link", name="3. Words").click()
    tab.get_by_role("heading", name="3. Words").wait_for()
    tab.get_by_text("Worksheet to print").wait_for()
    assert tab.get_by_role("combobox", name=re.compile("Photo")).input_value() == "shapes 3"


@pytest.mark.parametrize("key", ["overview", "encoder", "words"])
def test_a_worksheet_needs_no_network_and_no_script(tab, browser, warm_server, key, tmp_path):
    open_lesson(tab, warm_server, key)
    with tab.expect_download() as download:
        tab.get_by_text("Worksheet to print").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == ".html"
    context = browser.new_context(offline=True, java_script_enabled=False)
    try:
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert page.locator("h1").inner_text()
        sizes = page.locator("img").evaluate_all("all => all.map(image => image.naturalWidth)")
        assert sizes and all(sizes)
        assert all(url.startswith(("file:", "data:")) for url in asked)
        assert page.locator(".ask").count() >= 4 and page.locator("script").count() == 0
    finally:
        context.close()
