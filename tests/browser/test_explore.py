"""Exploring in a real browser: browse, deep link, search, and a click on a chart."""

import re

import pytest
from playwright.sync_api import expect

from app import PAGES
from captioning.analysis.caption_index import build_index
from captioning.analysis.search import find
from captioning.analysis.statistics import lengths
from captioning.datasets import generate_shapes


@pytest.fixture(scope="module")
def dataset(home):
    """The shapes that the pages fall back on, made before the server starts."""
    folder = home / "shapes-200-0"
    return generate_shapes(folder, count=200, seed=0)


@pytest.fixture(scope="module")
def index(dataset):
    return build_index(dataset)


def heading(tab, text):
    return tab.get_by_role("heading", name=text, exact=True)


def thumbnails(tab):
    return tab.get_by_test_id("stMain").get_by_test_id("stImage")


def test_browsing_from_the_gallery_to_photos_by_click_and_by_key(dataset, warm_server, tab):
    photos = dataset.split("train")
    tab.goto(f"{warm_server}/gallery")
    heading(tab, "Gallery").wait_for()
    tab.get_by_role("radio", name="train").click()
    tab.get_by_text(f"{len(photos)} photos are shown here").wait_for()
    assert "gallery.split=train" in tab.url
    thumbnails(tab).nth(23).wait_for()
    assert thumbnails(tab).count() == 24

    # Before the photos: the tabs of the section, and the link to real data.
    tab.get_by_test_id("stPageLink").nth(len(PAGES["Explore"]) + 2).click()
    heading(tab, "What the generator wrote").wait_for()
    tab.get_by_text(f"2 of {len(photos)} in train").wait_for()
    assert f"photo.photo={photos[1].name}" in tab.url

    heading(tab, "One photo").click()  # the page has the keyboard
    tab.keyboard.press("ArrowRight")
    tab.get_by_text(f"3 of {len(photos)} in train").wait_for()
    assert f"photo.photo={photos[2].name}" in tab.url
    for _ in range(2):
        place = tab.get_by_text(re.compile(r"^\d+ of 160 in train")).inner_text().split()[0]
        tab.keyboard.press("ArrowLeft")
        tab.get_by_text(f"{int(place) - 1} of {len(photos)} in train").wait_for()
    assert f"photo.photo={photos[0].name}" in tab.url


def test_a_deep_link_to_a_photo_opens_it_on_a_cold_server(dataset, server, tab):
    photo = dataset.split("dev")[7]
    tab.goto(f"{server}/photo?photo.photo={photo.name}")
    tab.get_by_text("8 of 20 in dev").wait_for()
    for caption in photo.captions:
        assert tab.get_by_text(caption).first.is_visible()
    assert tab.get_by_test_id("stSidebarNav").get_by_role("link", name="Explore").is_visible()
    assert tab.get_by_text("Page not found").count() == 0
    heading(tab, "Photos that look like it").wait_for()


def test_a_search_is_typed_marked_and_linked(index, warm_server, tab):
    query = '"big red" NOT circle'
    found = find(index, query)
    assert len(found.captions)
    tab.goto(f"{warm_server}/search")
    box = tab.get_by_role("textbox", name="Look for")
    box.fill(query)
    box.press("Enter")
    tab.get_by_text(f"{len(found.captions)} captions").wait_for()
    raw = index.captions[int(found.captions[0])]
    spans = found.spans(int(found.captions[0]))
    marked = tab.locator(".stMarkdownColoredBackground, span[style*='background']")
    assert marked.first.inner_text() == raw[spans[0][0] : spans[0][1]]

    tab.wait_for_url("**search.query=**")
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)
    tab.get_by_text(f"{len(found.captions)} captions").wait_for()
    expect(tab.get_by_role("textbox", name="Look for")).to_have_value(query, timeout=60_000)

    box = tab.get_by_role("textbox", name="Look for")
    box.fill('"big red')
    box.press("Enter")
    tab.get_by_text("A quote is not closed").wait_for()


def test_a_click_on_a_bar_opens_exactly_the_photos_behind_it(index, warm_server, tab):
    tab.goto(f"{warm_server}/statistics")
    chart = tab.get_by_test_id("stVegaLiteChart")
    chart.locator("svg, canvas").first.wait_for()
    tab.get_by_text("Click a bar").wait_for()
    box = chart.bounding_box()
    # Walk along the chart, a little above its axis, until a bar answers.
    for share in (0.5, 0.4, 0.6, 0.3, 0.7):
        tab.mouse.click(box["x"] + share * box["width"], box["y"] + 0.6 * box["height"])
        tab.wait_for_timeout(1500)
        if tab.get_by_text("Click a bar").count() == 0:
            break
    link = tab.get_by_role("link", name=re.compile("Read them in Search"))
    link.wait_for()
    length = re.search(r"len:(\d+)", link.inner_text()).group(1)
    bar = next(bar for bar in lengths(index) if bar.label == length)
    found = find(index, bar.query)
    heading(tab, f"{bar.count} captions of {len(found.photos)} photos").wait_for()
    assert thumbnails(tab).count() == min(12, len(found.photos))

    link.click()
    heading(tab, "Search").wait_for()
    tab.get_by_text(f"{bar.count} captions").wait_for()


def test_an_old_link_to_bleu_opens_the_lesson_on_its_photo_and_sentence(dataset, warm_server, tab):
    photo = dataset.split("test")[0]
    query = f"photo.photo={photo.name}&bleu.text=nothing+of+this&bleu.order=BLEU-1"
    tab.goto(f"{warm_server}/bleu?{query}")
    heading(tab, "7. Scores").wait_for()
    box = tab.get_by_role("textbox", name="or write another one")
    expect(box).to_have_value("nothing of this", timeout=60_000)
    tab.get_by_text(photo.captions[0]).first.wait_for()
    tab.get_by_role("button", name="Just show me").first.click()
    tab.get_by_text("and is 0.0").wait_for()
    box.fill(photo.captions[0].upper())
    box.press("Enter")
    tab.get_by_role("button", name="Just show me").first.click()
    tab.get_by_text("and is 100.0").wait_for()


def test_an_old_link_to_a_captions_journey_opens_lesson_3(dataset, warm_server, tab):
    photo = dataset.split("test")[1]
    tab.goto(f"{warm_server}/journey?photo.photo={photo.name}")
    heading(tab, "3. Words").wait_for()
    expect(tab.get_by_role("textbox", name="A sentence")).to_have_value(
        photo.captions[0], timeout=60_000
    )
