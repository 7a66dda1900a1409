"""A real server of the app, and a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def own_data() -> Iterator[Path]:
    """Give this process a new, empty data folder, and delete it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CAPTIONING_DATA"] = folder
        yield Path(folder)


def open_app() -> Any:
    """Open the app without a browser (Streamlit's `AppTest`), at its first page."""
    from streamlit.testing.v1 import AppTest

    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()


def find_chromium() -> str | None:
    """Return the path of chromium, if it is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def open_tab() -> Iterator[Any]:
    """Open a browser tab of 1400 x 900 pixels (a Playwright `Page`)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        tab.set_default_timeout(120_000)
        yield tab
        browser.close()


@contextmanager
def serve(
    home: Path, app: Path = ROOT / "app.py"
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Start the app with `home` as its data folder, and yield its address once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(app)]
    command += ["--server.port", str(port), "--server.headless", "true"]
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "CAPTIONING_DATA": str(home)}

    def ask() -> None:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()

    with running(command, ask, env=environment, stderr=subprocess.DEVNULL) as process:
        yield url, process


def free_port() -> int:
    """Return a port of this computer that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str], ask: Callable[[], object], **options: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a server, wait until `ask` raises no OSError, and end it after the block."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, **options)
    try:
        while True:
            try:
                ask()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("The server did not start.") from None
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def resident(pid: int) -> float:
    """Return the memory a process holds, in megabytes (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1000
