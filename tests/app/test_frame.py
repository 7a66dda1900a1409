"""The frame: every page opens from nothing, and none waits for Keras before it has to."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from page_files import page_files

import app as frame
from captioning.datasets import generate_shapes

ROOT = Path(__file__).parents[2]
PAGES = sorted(Path(file) for file in page_files())

RENDER = """
import sys
from streamlit.testing.v1 import AppTest

app = AppTest.from_file({app!r}, default_timeout=30)
for page in {pages!r}:
    app.switch_page(page).run()
    assert not app.exception, app.exception
print(*(name for name in ("keras", "tensorflow") if name in sys.modules))
"""

USE = """
import sys
from streamlit.testing.v1 import AppTest
from pages.library import find_by

photo = open({photo!r}, "rb").read()
app = AppTest.from_file({app!r}, default_timeout=60)
app.query_params["many.model"] = app.query_params["find.model"] = "tiny"
app.switch_page("pages/caption/caption.py").run()
app.file_uploader(key="caption.upload").upload("photo.png", photo).run()
assert not app.exception, app.exception
app.switch_page("pages/library/many.py").run()
app.file_uploader(key="many.upload").upload("photo.png", photo).run()
app.button(key="many.start").click().run()
assert app.dataframe[0].value["caption"][0]
for way in (find_by.MODEL, find_by.MACHINE):
    app.query_params.update({{"find.sentence": "red", "find.by": way, "find.split": "test"}})
    app.switch_page("pages/library/find.py").run()
    assert not app.exception, app.exception
for page in {pages!r}:
    app.switch_page(page).run()
    assert not app.exception, app.exception
print(*(name for name in ("keras", "tensorflow") if name in sys.modules))
"""


def test_every_page_is_in_a_section():
    assert len(PAGES) == 26 and all((ROOT / page).is_file() for page in PAGES)
    assert list(frame.PAGES) == ["Caption", "Library", "Explore", "Learn", "Train", "Evaluate"]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_opens_with_no_data_and_no_model(page, open_page):
    app = open_page().switch_page(str(page)).run()
    assert not app.exception


def test_the_first_page_does_not_wait_for_the_libraries_of_charts():
    """Altair and pandas take longer to import than everything else of that page together."""
    page = ast.parse((ROOT / "pages" / frame.START).read_text())
    modules = [part.module for part in page.body if isinstance(part, ast.ImportFrom)]
    script = f"import sys, app, {', '.join(modules)}\n"
    script += "print(*({'altair', 'pandas'} & set(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == []


@pytest.mark.slow
def test_pages_open_without_importing_keras(home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "tiny")
    # A lesson shows the live network, and the first page makes it ready for the photo to come.
    waiting = [Path("pages", frame.START), *(page for page in PAGES if page.parts[1] == "learn")]
    reading = [str(page) for page in PAGES if page not in waiting]
    script = RENDER.format(app=str(ROOT / "app.py"), pages=reading)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "CAPTIONING_DATA": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_captioning_finding_and_exploring_import_no_keras(home, write_tiny_bundle, photo, tmp_path):
    write_tiny_bundle(home / "models" / "tiny")
    generate_shapes(home / "shapes", count=20, seed=3)
    photo.save(tmp_path / "photo.png")
    explore = [str(page) for page in PAGES if page.parts[1] == "explore"]
    script = USE.format(app=str(ROOT / "app.py"), photo=str(tmp_path / "photo.png"), pages=explore)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "CAPTIONING_DATA": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_app_opens_with_a_place_for_a_photo_under_both_addresses(open_page, model):
    for app in (open_page(), open_page().switch_page("pages/caption/caption.py").run()):
        assert not app.exception
        assert app.file_uploader(key="caption.upload")


@pytest.mark.parametrize("section", [s for s, rows in frame.PAGES.items() if len(rows) > 1])
def test_the_pages_of_a_section_are_a_click_apart(section, open_page):
    rows = frame.PAGES[section]
    app = open_page().switch_page(f"pages/{rows[1][0]}").run()
    tabs = [link.proto.page for link in app.get("page_link")]
    expected = rows[:1] if section == "Learn" else rows
    assert tabs[: len(expected)] == [frame.address(file) for file, *_ in expected]


@pytest.mark.parametrize("old", frame.MOVED)
def test_an_old_address_leads_to_a_page_of_a_section(old):
    file, _ = frame.MOVED[old]
    assert Path("pages", file) in PAGES


def test_a_link_to_photos_for_a_sentence_opens_find(open_page):
    app = open_page()
    app.query_params["search.way"] = "Photos for a sentence"
    app.query_params["search.query"] = "a red circle"
    app.switch_page("pages/explore/search.py").run()
    assert not app.exception
    assert app.header[0].value == "Find photos"
    assert app.query_params["find.sentence"] == "a red circle"
