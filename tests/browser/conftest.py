"""A real server and a real browser; skipped where there is no chromium.

python -m pytest tests/browser
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE_MS = 90_000  # a cold TensorFlow on a busy machine


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url, process, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(f"The app did not answer. {log.read_text()}")


@contextmanager
def serve(home, log):
    """Start the app the way `make run` does, everything it writes under `home`; give its URL."""
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    environment = {**os.environ, "CAPTIONING_DATA": str(home)}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=BROWSER_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def home(tmp_path_factory, write_tiny_bundle):
    """A data folder with one small real model, `tiny`, of random weights."""
    folder = tmp_path_factory.mktemp("home")
    write_tiny_bundle(folder / "models" / "tiny")
    return folder


@pytest.fixture
def server(home, tmp_path):
    """The app, started for this test alone: nobody has opened a page of it before."""
    with serve(home, tmp_path / "server.log") as running:
        yield running


@pytest.fixture(scope="module")
def warm_server(home, tmp_path_factory):
    """The app, shared by tests for which it does not matter who came before."""
    with serve(home, tmp_path_factory.mktemp("logs") / "server.log") as running:
        yield running


@pytest.fixture(scope="session")
def follow():
    """A function that clicks links of the sidebar, tabs or cards, one after another."""

    def click(tab, *links):
        for link in links:
            tab.get_by_role("link", name=link, exact=True).first.click()

    return click


@pytest.fixture
def tab(browser):
    """An empty tab that fails its test when the page breaks, or calls out of this machine.

    So do charts of which Vega warns that they have nothing to show.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    broken, outside = [], []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "console",
        lambda line: broken.append(line.text) if "Infinite extent" in line.text else None,
    )
    local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
    page.on(
        "request",
        lambda request: None if request.url.startswith(local) else outside.append(request.url),
    )
    yield page
    context.close()
    assert not broken
    assert not outside
