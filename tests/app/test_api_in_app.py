"""The HTTP API on the server of the app."""

import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from benchmarks.serving import serve

ROOT = Path(__file__).parents[2]


def addresses_of_the_app(**environment):
    """Import the app as a server does; return what it adds to Streamlit's own, and its pages."""
    code = """
import app
print(*[route.path for route in app.app._user_routes])
print(*[app.address(file) for rows in app.PAGES.values() for file, *_ in rows])
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    routes, pages = ended.stdout.split("\n")[:2]
    return routes.split(), pages.split()


@pytest.mark.slow
def test_a_class_server_has_the_api_only_if_it_was_asked_for():
    key = {"CAPTIONING_TEACHER_KEY": "a-key"}
    assert addresses_of_the_app(**key, CAPTIONING_API="0")[0] == []
    routes, _ = addresses_of_the_app(**key, CAPTIONING_API="1")
    assert "/model/predict" in routes


def test_without_a_class_the_app_has_the_api_and_no_page_of_its_addresses():
    routes, pages = addresses_of_the_app(CAPTIONING_TEACHER_KEY="")
    assert "/model/predict" in routes
    assert not {route.split("/")[1] for route in routes} & {*pages, "caption"}


def ask(request):
    """Return status and text of the answer."""
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def upload(url, jpeg, **headers):
    """Make a request with a photo for the small model."""
    end = uuid.uuid4().hex
    part = f'--{end}\r\nContent-Disposition: form-data; name="'
    body = f'{part}model"\r\n\r\nshapes\r\n{part}image"; filename="a.jpg"\r\n\r\n'.encode()
    body += jpeg + f"\r\n--{end}--\r\n".encode()
    headers["Content-Type"] = f"multipart/form-data; boundary={end}"
    return urllib.request.Request(f"{url}/v1/caption", body, headers)


@pytest.mark.slow
def test_the_app_s_server_answers_both(tmp_path, photo):
    stream = io.BytesIO()
    photo.save(stream, "JPEG")
    jpeg = stream.getvalue()
    with serve(tmp_path) as (url, _):
        status, text = ask(upload(url, jpeg))
        assert status == 200, text
        assert json.loads(text)["model"]["name"] == "shapes"
        assert "<!doctype html>" in ask(url)[1].lower()
        assert ask(upload(url, jpeg, Host="evil.example"))[0] == 400
        assert ask(upload(url, jpeg, Origin="https://evil.example"))[0] == 403
        assert json.loads(ask(f"{url}/v1/caption")[1])["error"]["type"] == "method_not_allowed"
