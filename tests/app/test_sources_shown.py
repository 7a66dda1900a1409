"""What a page shows as the code that just ran is what ran, and nothing before something ran."""

import re
import sys
import threading
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from captioning.datasets import generate_shapes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def called():
    """The names of the library's functions that are called, as `module.name`."""
    names = set()

    def note(frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("captioning."):
            names.add(f"{module}.{frame.f_code.co_qualname}")

    threading.setprofile(note)
    sys.setprofile(note)
    yield names
    threading.setprofile(None)
    sys.setprofile(None)


def shown_sources(app):
    captions = (re.fullmatch(r"`(captioning\.[\w.]+)`", str(c.value)) for c in app.caption)
    return {found.group(1) for found in captions if found}


def open_page(page, **query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, value in query.items():
        app.query_params[key.replace("__", ".")] = value
    return app.switch_page(f"pages/{page}.py").run()


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("explore/gallery", {}),
        ("explore/photo", {}),
        ("explore/search", {"search__query": "red"}),
        ("explore/statistics", {}),
        ("explore/character", {}),
        ("explore/data", {}),
        ("train/new", {}),
    ],
)
def test_what_is_shown_has_run(page, query, home, called):
    generate_shapes(home / "shapes", count=40, seed=3)
    called.clear()
    app = open_page(page, **query)
    assert not app.exception
    assert shown_sources(app), "nothing is shown"
    assert shown_sources(app) <= called


@pytest.mark.parametrize(
    "page", ["explore/search", "train/step", "train/search_settings", "train/compare"]
)
def test_nothing_is_shown_before_something_ran(page, home):
    st.cache_data.clear()
    app = open_page(page)
    assert not app.exception
    assert shown_sources(app) == set()
