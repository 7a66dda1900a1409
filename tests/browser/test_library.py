"""Many photos and a sample photo, with the keyboard alone."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="session")
def photos(tmp_path_factory, photo):
    folder = tmp_path_factory.mktemp("photos") / "trip"
    folder.mkdir()
    for number in range(3):
        photo.rotate(90 * number).resize((300, 200)).save(folder / f"{number}.jpg", "JPEG")
    return folder


def press_tab_until(tab, name):
    """Press Tab until the element of this name has the focus."""
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.innerText || ''").strip() == name:
            return
    raise AssertionError(f"{name} cannot be reached with the Tab key")


def test_a_sample_is_captioned_with_the_keyboard_alone(warm_server, tab):
    tab.goto(f"{warm_server}/?caption.model=tiny")
    tab.get_by_text("Caption this").first.wait_for()
    press_tab_until(tab, "Caption this")
    tab.keyboard.press("Enter")
    tab.get_by_text("Written by tiny").wait_for()


def test_a_folder_is_captioned_and_reviewed_with_the_keyboard_alone(
    warm_server, tab, photos, follow
):
    tab.goto(warm_server)
    follow(tab, "Library")
    tab.get_by_text("A folder", exact=True).click()
    tab.get_by_text("with the folders in it").wait_for()
    tab.locator("input[type=file]").set_input_files(photos)
    tab.get_by_role("button", name="Caption 3 photos").click()
    tab.get_by_text("One by one", exact=True).click()
    tab.get_by_text("Photo 1 of 3").wait_for()
    expect(tab.get_by_role("switch", name="Least sure first")).to_be_checked(timeout=60_000)
    caption = tab.get_by_label("Caption", exact=True)
    caption.focus()
    tab.keyboard.press("Enter")  # accepted
    tab.get_by_text("Photo 2 of 3").wait_for()
    tab.get_by_text("1 of 3 captions checked").wait_for()
    tab.keyboard.press("Control+A")  # the text field still has the focus
    tab.keyboard.type("A kite in the sky.")
    tab.keyboard.press("Enter")  # corrected
    tab.get_by_text("Photo 3 of 3").wait_for()
    tab.get_by_text("2 of 3 captions checked").wait_for()
    tab.keyboard.press("Alt+ArrowUp")
    tab.get_by_text("Photo 2 of 3").wait_for()
    tab.get_by_role("cell", name="A kite in the sky.").wait_for()  # in its history
    assert caption.input_value() == "A kite in the sky."


def test_words_are_replaced_in_all_captions_undone_filtered_and_downloaded(
    warm_server, tab, photos, follow
):
    tab.goto(warm_server)
    follow(tab, "Library")
    tab.locator("input[type=file]").set_input_files(sorted(photos.iterdir()))
    tab.get_by_role("button", name="Caption 3 photos").click()
    tab.get_by_text("One by one", exact=True).click()
    caption = tab.get_by_label("Caption", exact=True)
    expect(caption).not_to_have_value("", timeout=90_000)
    written = caption.input_value()
    tab.get_by_text("Find and replace in all captions").click()
    tab.get_by_label("Find these words").fill(written.removesuffix("."))
    tab.get_by_label("Replace them with").fill("A kite")
    tab.get_by_role("button", name="Replace", exact=True).click()
    tab.get_by_text(re.compile("corrected by hand")).wait_for()
    tab.get_by_role("radio", name="Corrected").click()
    tab.get_by_text(re.compile("Photo 1 of [123]: .* Corrected")).wait_for()
    assert caption.input_value() == "A kite."

    tab.get_by_text(re.compile(r"^[123] corrections?$")).click()
    tab.get_by_role("button", name="Undo the last one").click()
    tab.get_by_text("No caption of this kind is left").wait_for()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert written in [row["caption"] for row in rows]
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)


def test_a_reload_keeps_captions_and_corrections_until_start_over(warm_server, tab, photos):
    tab.goto(f"{warm_server}/?caption.model=tiny")
    tab.get_by_role("link", name="Library", exact=True).click()
    tab.locator("input[type=file]").set_input_files(sorted(photos.iterdir()))
    tab.get_by_role("button", name="Caption 3 photos").click()
    tab.get_by_text("One by one", exact=True).click()
    tab.get_by_label("Caption", exact=True).fill("A kite in the sky.")
    tab.keyboard.press("Enter")
    tab.get_by_text("1 of 3 captions checked").wait_for()

    tab.reload()
    tab.get_by_text("3 captions, 1 corrected by hand").wait_for()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="CSV", exact=True).click()
    saved = Path(download.value.path()).read_text()
    assert "A kite in the sky." in saved
    assert "confidence" in saved.splitlines()[0]

    tab.get_by_role("button", name="Start over").click()
    tab.get_by_text("Delete all 3 rows and corrections?").wait_for()
    tab.get_by_role("button", name="Delete them").click()
    tab.get_by_text("Choose all photos of a folder").wait_for()
