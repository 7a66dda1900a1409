"""What a browser without the teacher's key sees and can do."""

import asyncio
import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest

from captioning.config import TrainingConfig
from captioning.runs import Runs
from pages.ui import guard

PAGE = """
from pages.ui.components import problem
from pages.ui.rights import ask_for_key, is_teacher, require_teacher
import streamlit as st
ask_for_key()
st.write("teacher" if is_teacher() else "visitor")
try:
    require_teacher("delete models")
except Exception as error:
    problem(error)
"""


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("CAPTIONING_TEACHER_KEY", "a-key")
    monkeypatch.setattr("pages.ui.rights._PAUSE_SECONDS", 0.0)
    return AppTest.from_string(PAGE, default_timeout=120).run()


def enter(page, key):
    page.text_input(key="rights.key").input(key)
    return page.button(key="rights.enter").click().run()


def test_only_the_key_makes_a_teacher(page):
    assert page.markdown[-1].value == "visitor"
    assert "Only the teacher can delete models" in page.error[0].value
    assert "not the teacher" in enter(page, "another").sidebar.error[0].value
    page = enter(page, "a-key")
    assert page.markdown[-1].value == "teacher"
    assert not page.error


def test_the_teacher_can_show_the_address_of_the_class(page, monkeypatch):
    monkeypatch.setenv("CAPTIONING_ADDRESS", "http://10.0.0.9:8501")
    page.run()
    assert "rights.address" not in {button.key for button in page.button}
    page = enter(page, "a-key")
    page.button(key="rights.address").click().run()
    assert not page.exception
    assert page.title[0].value == "http://10.0.0.9:8501"


def test_the_app_without_a_class_asks_for_no_key(monkeypatch):
    monkeypatch.delenv("CAPTIONING_TEACHER_KEY", raising=False)
    page = AppTest.from_string(PAGE, default_timeout=120).run()
    assert page.markdown[-1].value == "teacher"
    assert not page.text_input


PARTS = """
import streamlit as st
from captioning.config import TrainingConfig
from captioning.runs import Runs
from pages.explore.download import fetch, folder_form, list_data
from pages.train.run_view import show_controls
from pages.train.tutorial_files import bring_files
from pages.ui.rights import origin
folder_form("data"), fetch("data"), list_data(), bring_files("new")
runs, config = Runs(), TrainingConfig(name="try", data="shapes")
show_controls("mine", runs, runs.create(config, origin=origin()))
show_controls("theirs", runs, runs.create(config, origin={"visitor": "10.9.9.9"}))
show_controls("teachers", runs, runs.create(config))
"""
OF_THE_TEACHER = {
    *("data.use", "data.fetch", "theirs.start", "theirs.delete_this_run"),
    *("teachers.start", "teachers.delete_this_run"),
}


@pytest.mark.parametrize("key", ["a-key", None])
def test_a_visitor_names_no_folder_and_touches_no_run_of_others(monkeypatch, tmp_path, key):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    monkeypatch.setattr("pages.ui.rights._visitor", lambda: "10.0.0.1")
    if key:
        monkeypatch.setenv("CAPTIONING_TEACHER_KEY", key)
    page = AppTest.from_string(PARTS, default_timeout=120).run()
    assert not page.exception
    shown = {button.key for button in page.button}
    assert {"mine.start", "mine.delete_this_run", "theirs.clone"} <= shown
    assert shown & OF_THE_TEACHER == (set() if key else OF_THE_TEACHER)
    assert len(page.text_input) == (0 if key else 1)


def status_of(method, path, **headers):
    """Let the guard answer a request, or pass it on to an app that answers 200."""
    sent = []

    async def passed(scope, receive, send):
        sent.append({"status": 200})

    async def send(message):
        sent.append(message)

    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": lines}
    asyncio.run(guard.Guard(passed)(scope, None, send))
    return sent[0]["status"]


def test_metrics_are_closed_and_pages_are_not():
    assert status_of("GET", "/_stcore/metrics") == 404
    assert status_of("GET", "/caption") == 200


@pytest.mark.parametrize(
    ("session", "length", "status"),
    [("known", "100", 200), ("known", "101", 413), ("other", "151", 413), ("known", "-1", 411)],
)
def test_uploads_end_at_a_visitor_s_share(monkeypatch, session, length, status):
    files = MemoryUploadedFileManager("/upload")
    files.add_file("known", UploadedFileRec("1", "a.jpg", "image/jpeg", b"x" * 100))
    monkeypatch.setattr(guard, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=files))
    monkeypatch.setattr(guard, "MOST_SESSION_BYTES", 200)
    monkeypatch.setattr(guard, "MOST_SERVER_BYTES", 250)
    place = f"/_stcore/upload_file/{session}/a-file"
    assert status_of("PUT", place, **{"content-length": length}) == status
    assert status_of("PUT", place, **{"content-length": "1", "transfer-encoding": "chunked"}) == 411
    assert status_of("DELETE", place) == 200


def test_uploads_at_the_same_time_share_the_room(monkeypatch):
    files = MemoryUploadedFileManager("/upload")
    monkeypatch.setattr(guard, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=files))
    monkeypatch.setattr(guard, "MOST_SESSION_BYTES", 200)
    headers = [(b"content-length", b"150")]
    place = "/_stcore/upload_file/one/a-file"
    scope = {"type": "http", "method": "PUT", "path": place, "headers": headers}
    passed, answers = [], []

    async def app(scope, receive, send):
        passed.append(scope)
        await asyncio.sleep(0)

    async def send(message):
        answers.append(message.get("status"))

    async def upload():
        door = guard.Guard(app)
        await asyncio.gather(*(door(scope, None, send) for _ in range(2)))
        await door(scope, None, send)

    asyncio.run(upload())
    assert len(passed) == 2 and 413 in answers  # the second waits for the first to end


RUNS = """
from pages.train.cache import all_runs
import streamlit as st
st.write(f"{len(all_runs().all())} runs")
"""


def test_runs_are_shown_from_a_disk_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    Runs().create(TrainingConfig(name="try", data="shapes"))

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("captioning.runs.store.lock", full)
    page = AppTest.from_string(RUNS, default_timeout=120).run()
    assert "No space left on device" in page.error[0].value
    assert page.markdown[-1].value == "1 runs"


def test_a_page_that_meets_a_full_disk_says_so(monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pages.ui.cache.models", full)
    page = AppTest.from_file(str(Path(__file__).parents[2] / "app.py"), default_timeout=120).run()
    assert not page.exception
    assert "No space left on device" in page.error[0].value
