"""The frame: every page opens from nothing, and none waits for Keras before it has to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from page_files import page_files

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


def test_the_sidebar_lists_the_pages():
    assert len(PAGES) == 28 and all((ROOT / page).is_file() for page in PAGES)
    assert Path("pages/home/home.py") in PAGES
    assert Path("pages/caption/caption.py") in PAGES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_opens_with_no_data_and_no_model(page, open_page):
    app = open_page("home").switch_page(str(page)).run()
    assert not app.exception


def test_pages_open_without_importing_keras(home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "tiny")
    # A lesson shows the live network, so it has to load one.
    reading = [str(page) for page in PAGES if page.parts[1] != "learn"]
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


def test_home_leads_to_the_caption_page(open_page, model):
    app = open_page("home")
    app.button(key="home.caption").click().run()
    assert not app.exception
    assert app.file_uploader(key="caption.upload")
