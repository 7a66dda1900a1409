"""What a browser without the teacher's key sees and can do."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

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
    return AppTest.from_string(PAGE).run()


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


def test_whoever_runs_the_app_alone_is_asked_for_no_key(monkeypatch):
    monkeypatch.delenv("CAPTIONING_TEACHER_KEY", raising=False)
    page = AppTest.from_string(PAGE).run()
    assert page.markdown[-1].value == "teacher"
    assert not page.text_input


@pytest.fixture
def client(monkeypatch):
    def answer(request):
        return PlainTextResponse("passed")

    monkeypatch.setattr(guard, "_fits", lambda session, count: session == "known" and count < 100)
    routes = [Route("/{path:path}", answer, methods=["GET", "PUT", "DELETE"])]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(guard.Guard)]))


def test_metrics_are_closed_and_pages_are_not(client):
    assert client.get("/_stcore/metrics").status_code == 404
    assert client.get("/caption").text == "passed"


@pytest.mark.parametrize(
    ("session", "length", "status"),
    [("known", "99", 200), ("known", "100", 413), ("other", "1", 413), ("known", "-1", 411)],
)
def test_uploads_end_at_a_visitor_s_share(client, session, length, status):
    place = f"/_stcore/upload_file/{session}/a-file"
    assert client.put(place, headers={"Content-Length": length}).status_code == status
    assert client.delete(place).status_code == 200
