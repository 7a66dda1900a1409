"""Open many sessions of the app at once, and see what they are shown, how soon, and what it costs.

    python tests/load/sessions.py --sessions 30 --seconds 600

Each session is a WebSocket connection as a browser opens it: it asks for one page after another,
uploads photos, waits until the page is drawn, and rests a moment.  The caption of each photo has to
be the one that the model writes for that photo without a server.  `make load` runs it for minutes,
`make soak` for hours.

Memory is measured before, with one visitor who has seen every page and loaded the model; then its
highest value; and after the sessions have ended.  Streamlit keeps a closed session for two minutes,
in case its browser connects again, so the last value is taken after `--rest` seconds, when one
visitor has seen every page once more.  The server returns freed memory every half minute, so the
first and the last value are taken after that.
"""

import argparse
import asyncio
import io
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from captioning.captioner import Captioner  # noqa: E402 - the folder has to be known first
from captioning.text import tokenize  # noqa: E402

PAGES = ("gallery", "search", "statistics", "bleu", "overview", "scores", "new", "watch")
UPLOADS = 0.3
"""The share of uploads among what a visitor does."""
PATIENCE = 120.0
RETURNED = 40.0
"""Seconds after which the server has returned freed memory to the system."""


@dataclass(frozen=True)
class Upload:
    """A photo, and the words of the caption that the model writes for it."""

    name: str
    data: bytes
    words: list[str]


@dataclass
class Figures:
    """What the visitors met: seconds per page and per caption with their names, and faults."""

    pages: list[tuple[float, str]] = field(default_factory=list)
    captions: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass
class Drawn:
    """What a browser has received of a page: its fault, its title, and its file uploader's id."""

    fault: str = ""
    title: str = ""
    uploader: str = ""


class Visitor:
    """One session."""

    def __init__(self, connection: ClientConnection, address: str, model: str) -> None:
        self.connection, self.address, self.model = connection, address, model
        self.session = ""

    async def open(
        self, page: str, uploaded: tuple[str, Upload, str, object] | None = None
    ) -> Drawn:
        """Ask for a page, with a file in its uploader or without, and wait until it is drawn."""
        message = BackMsg()
        message.rerun_script.page_name = page
        message.rerun_script.query_string = f"caption.model={self.model}"
        if uploaded is not None:
            widget, photo, file_id, urls = uploaded
            state = message.rerun_script.widget_states.widgets.add(id=widget)
            info = state.file_uploader_state_value.uploaded_file_info
            info.add(name=photo.name, size=len(photo.data), file_id=file_id, file_urls=urls)
        await self.connection.send(message.SerializeToString())
        drawn = Drawn()
        while True:
            answer = await self._receive()
            element = answer.delta.new_element
            match element.WhichOneof("type"):
                case "exception":
                    drawn.fault = f"{element.exception.type}: {element.exception.message}"
                case "heading" if element.heading.tag == "h1":
                    drawn.title = element.heading.body
                case "file_uploader":
                    drawn.uploader = element.file_uploader.id
            match answer.WhichOneof("type"):
                case "page_not_found":
                    drawn.fault = "there is no such page"
                case "script_finished" if (
                    answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
                ):
                    return drawn

    async def caption(self, photo: Upload) -> str:
        """Upload a photo on the Caption page; return what is wrong with its caption, if so."""
        before = await self.open("")
        if before.fault or not before.uploader:
            return before.fault or "the page has no place for a photo"
        message = BackMsg()
        message.file_urls_request.request_id = photo.name
        message.file_urls_request.file_names.append(photo.name)
        message.file_urls_request.session_id = self.session
        await self.connection.send(message.SerializeToString())
        while (answer := await self._receive()).WhichOneof("type") != "file_urls_response":
            pass
        (urls,) = answer.file_urls_response.file_urls
        await asyncio.to_thread(put, self.address + urls.upload_url, photo)
        after = await self.open("", (before.uploader, photo, urls.file_id, urls))
        found = tokenize(re.sub(r":orange\[\*(.*?)\*\]", r"\1", after.title))
        if after.fault or found == photo.words:
            return after.fault
        return f"the caption is {' '.join(found)!r}, not {' '.join(photo.words)!r}"

    async def _receive(self) -> ForwardMsg:
        answer = ForwardMsg.FromString(await self.connection.recv())
        if answer.WhichOneof("type") == "new_session":
            self.session = answer.new_session.initialize.session_id
        return answer


def put(url: str, photo: Upload) -> None:
    """Upload a file as a browser does, with the token against forged requests."""
    host = url.split("/_stcore")[0]
    with urllib.request.urlopen(f"{host}/_stcore/health", timeout=PATIENCE) as answer:
        cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
    head = f'--line\r\nContent-Disposition: form-data; name="file"; filename="{photo.name}"\r\n\r\n'
    request = urllib.request.Request(
        url,
        head.encode() + photo.data + b"\r\n--line--\r\n",
        {
            "Content-Type": "multipart/form-data; boundary=line",
            "Cookie": cookie,
            "X-Xsrftoken": cookie.partition("=")[2],
        },
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=PATIENCE).close()


async def session(
    address: str, model: str, until: float, seed: int, photos: list[Upload], figures: Figures
) -> None:
    """Be one visitor until the time is over, beginning with a photo of one's own."""
    draw = random.Random(seed)
    stream = f"{address.replace('http', 'ws')}/_stcore/stream"
    async with connect(stream, max_size=None, subprotocols=["streamlit"]) as connection:
        visitor = Visitor(connection, address, model)
        photo: Upload | None = photos[seed % len(photos)]
        while time.monotonic() < until:
            begun, page = time.monotonic(), draw.choice(PAGES)
            try:
                async with asyncio.timeout(PATIENCE):
                    if photo is not None:
                        fault = await visitor.caption(photo)
                    else:
                        fault = (await visitor.open(page)).fault
            except TimeoutError:
                fault = f"it was not drawn in {PATIENCE:.0f} s"
            kind = figures.captions if photo is not None else figures.pages
            name = photo.name if photo is not None else page
            kind.append((time.monotonic() - begun, name))
            if fault:
                figures.faults.append(f"{name}: {fault}")
            photo = draw.choice(photos) if draw.random() < UPLOADS else None
            await asyncio.sleep(draw.uniform(0.5, 3.0))


async def drive(
    address: str, model: str, sessions: int, duration: float, photos: list[Upload]
) -> Figures:
    """Be many visitors."""
    figures = Figures()
    until = time.monotonic() + duration
    visitors = [session(address, model, until, seed, photos, figures) for seed in range(sessions)]
    for outcome in await asyncio.gather(*visitors, return_exceptions=True):
        if isinstance(outcome, BaseException):
            figures.faults.append(f"the connection broke: {outcome!r}")
    return figures


async def look_around(address: str, model: str, photos: list[Upload]) -> None:
    """See every page once and caption some photos, so that the server has loaded all it needs."""
    stream = f"{address.replace('http', 'ws')}/_stcore/stream"
    async with connect(stream, max_size=None, subprotocols=["streamlit"]) as connection:
        visitor = Visitor(connection, address, model)
        for page in PAGES:
            await visitor.open(page)
        for photo in photos:
            await visitor.caption(photo)


def make_photos(count: int, model: str) -> list[Upload]:
    """Cut photos out of the app's samples, and caption each of them without a server."""
    draw, captioner = random.Random(0), Captioner.load(model)
    samples = [Image.open(p).convert("RGB") for p in sorted((ROOT / "assets/photos").glob("*.jpg"))]
    photos = []
    for number in range(count):
        sample = samples[number % len(samples)]
        width, height = (round(side * draw.uniform(0.4, 1.0)) for side in sample.size)
        left, top = draw.randint(0, sample.width - width), draw.randint(0, sample.height - height)
        part = sample.crop((left, top, left + width, top + height)).resize((800, 600))
        stream = io.BytesIO()
        part.save(stream, "JPEG")
        words = tokenize(captioner.caption(stream.getvalue()).sentence)
        photos.append(Upload(f"photo{number}.jpg", stream.getvalue(), words))
    return photos


@contextmanager
def serve(data: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start the app on a free port; gives its process and its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    server = subprocess.Popen(
        [*command, "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ, "CAPTIONING_DATA": data},
        stdout=subprocess.DEVNULL,
    )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("The server did not answer.") from None
                time.sleep(0.2)
        yield server, address
    finally:
        server.kill()
        server.wait()


def megabytes(server: subprocess.Popen[bytes]) -> float:
    return psutil.Process(server.pid).memory_info().rss / 1e6


async def watched(server: subprocess.Popen[bytes], visits: asyncio.Task[Figures]) -> float:
    """Return the highest memory of the server until the visits are over."""
    highest = 0.0
    while not visits.done():
        highest = max(highest, megabytes(server))
        await asyncio.sleep(0.5)
    return highest


async def measure(
    server: subprocess.Popen[bytes], address: str, arguments: argparse.Namespace
) -> tuple[Figures, dict[str, float]]:
    """Let visitors come and go; return what they met, and the server's memory in MB."""
    photos = make_photos(3 * arguments.sessions, arguments.model)
    print(f"{len(photos)} photos, {len({tuple(p.words) for p in photos})} different captions")
    await look_around(address, arguments.model, photos[:: arguments.sessions])
    await asyncio.sleep(RETURNED)
    memory = {"before": megabytes(server)}
    visits = asyncio.create_task(
        drive(address, arguments.model, arguments.sessions, arguments.seconds, photos)
    )
    memory["highest"] = await watched(server, visits)
    memory["after"] = megabytes(server)
    await asyncio.sleep(arguments.rest)
    await look_around(address, arguments.model, [])  # Streamlit forgets old sessions at a new one
    await asyncio.sleep(RETURNED)
    memory[f"{arguments.rest:.0f} s later"] = megabytes(server)
    return visits.result(), memory


def print_times(what: str, times: list[float]) -> None:
    ordered = sorted(times) or [float("nan")]
    median, p95 = statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
    print(f"{len(times)} x {what}: {median:.2f} s (median), {p95:.2f} s (p95), {ordered[-1]:.2f} s")


def report(sessions: int, figures: Figures, memory: dict[str, float]) -> None:
    print(f"{sessions} sessions: {len(figures.faults)} faults")
    print_times("a caption", [seconds for seconds, _ in figures.captions])
    print_times("a page", [seconds for seconds, _ in figures.pages])
    for page in PAGES:
        print_times(f"  {page}", [seconds for seconds, name in figures.pages if name == page])
    print(f"memory in MB: {', '.join(f'{value:.0f} {when}' for when, value in memory.items())}")
    for fault in sorted(set(figures.faults))[:20]:
        print(f"{figures.faults.count(fault)} x {fault}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="everyday", help="the model that captions")
    parser.add_argument("--rest", type=float, default=150.0, help="seconds before the last look")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    with tempfile.TemporaryDirectory() as data, serve(data) as (server, address):
        figures, memory = asyncio.run(measure(server, address, arguments))
    report(arguments.sessions, figures, memory)
    return int(bool(figures.faults) or not figures.captions)


if __name__ == "__main__":
    sys.exit(main())
