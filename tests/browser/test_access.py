"""Every page, wide in the light and on a phone in the dark, as axe judges who could not use it."""

from importlib.resources import files

import pytest

from app import PAGES, address

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
GRAVE = ("serious", "critical")

# Streamlit puts the headings of the navigation's sections and their links as `li` into `div`s.
# No setting of `st.navigation` changes that, and screen readers still find the links.
# Vega draws the rectangle of a dragged selection as a part without a name, and has no setting for
# one; the chart itself has its alternative text.
STREAMLITS_OWN = {
    "list": "[data-testid=stSidebarNav]",
    "listitem": "[data-testid=stSidebarNav]",
    "svg-img-alt": "[data-testid=stVegaLiteChart] g[class*=_brush]",
}
KEYS = [address(file) for rows in PAGES.values() for file, *_ in rows]


def open_page(tab, server, key):
    """Open a page, on the model of drawn shapes where it asks for one; wait until it is done."""
    tab.goto(f"{server}/{key}?learn.model=shapes")
    tab.get_by_test_id("stMain").locator("h1, h2").first.wait_for()
    tab.get_by_test_id("stStatusWidget").wait_for(state="hidden")


def grave_findings(tab):
    """Findings of axe that are grave and not Streamlit's own."""
    tab.evaluate(AXE)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (rule["id"], rule["help"], node["html"][:200], node["failureSummary"])
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
        if not is_streamlits_own(tab, rule["id"], node["target"][0])
    ]


def is_streamlits_own(tab, rule, target):
    within = STREAMLITS_OWN.get(rule)
    return within is not None and tab.locator(target).first.evaluate(
        "(element, selector) => element.closest(selector) !== null", within
    )


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
@pytest.mark.parametrize("key", KEYS)
def test_axe_finds_nothing_grave_of_ours(tab, warm_server, key, scheme, width):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    open_page(tab, warm_server, key)
    assert tab.get_by_test_id("stException").count() == 0
    assert grave_findings(tab) == []


def test_axe_would_find_a_picture_without_words(tab, warm_server):
    open_page(tab, warm_server, "overview")
    tab.evaluate(
        "document.querySelectorAll('main img, img').forEach(i => i.removeAttribute('alt'))"
    )
    assert "image-alt" in [rule for rule, *_ in grave_findings(tab)]


def test_axe_would_find_white_on_a_light_accent(tab, warm_server):
    tab.emulate_media(color_scheme="dark")
    open_page(tab, warm_server, "data")
    tab.get_by_role("button", name="Get Flickr8k").evaluate(
        "button => { button.style.background = '#3fb5a9';"
        " button.querySelectorAll('*').forEach(part => { part.style.color = '#ffffff'; }); }"
    )
    assert "color-contrast" in [rule for rule, *_ in grave_findings(tab)]
