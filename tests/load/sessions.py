"""Open many sessions of the app at once, and see what they are shown, how soon, and what it costs.

    python tests/load/sessions.py --sessions 30 --seconds 600

Each session is a WebSocket connection as a browser opens it: it asks for one page after another,
waits until the page is drawn, and rests a moment.  Printed at the end: pages drawn, errors, the
median and the 95th percentile of the time a page took, and the server's memory before and after.
`make load` runs it for minutes, `make soak` for hours.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("caption", "gallery", "search", "statistics", "bleu", "overview", "scores", "new", "watch")
PATIENCE = 120.0


async def visit(connection: ClientConnection, page: str) -> str:
    """Ask for a page, wait until it is drawn, and return what is wrong with it, if anything."""
    message = BackMsg()
    message.rerun_script.page_name = page
    message.rerun_script.query_string = ""
    await connection.send(message.SerializeToString())
    fault = ""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = ForwardMsg.FromString(await connection.recv())
            element = answer.delta.new_element
            if element.WhichOneof("type") == "exception":
                fault = f"{page}: {element.exception.type}: {element.exception.message}"
            match answer.WhichOneof("type"):
                case "page_not_found":
                    fault = f"{page}: there is no such page"
                case "script_finished":
                    return fault


async def session(
    url: str, until: float, seed: int, seconds: list[float], faults: list[str]
) -> None:
    """Be one visitor until the time is over."""
    draw = random.Random(seed)
    async with connect(url, max_size=None, subprotocols=["streamlit"]) as connection:
        while time.monotonic() < until:
            begun, page = time.monotonic(), draw.choice(PAGES)
            try:
                fault = await visit(connection, page)
            except TimeoutError:
                fault = f"{page}: it was not drawn in {PATIENCE:.0f} s"
            seconds.append(time.monotonic() - begun)
            if fault:
                faults.append(fault)
            await asyncio.sleep(draw.uniform(0.5, 3.0))


async def drive(url: str, sessions: int, duration: float) -> tuple[list[float], list[str]]:
    """Be many visitors; return how long each page took, and what went wrong."""
    seconds: list[float] = []
    faults: list[str] = []
    until = time.monotonic() + duration
    visitors = [session(url, until, seed, seconds, faults) for seed in range(sessions)]
    for outcome in await asyncio.gather(*visitors, return_exceptions=True):
        if isinstance(outcome, BaseException):
            faults.append(f"the connection broke: {outcome!r}")
    return seconds, faults


def serve(data: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the app on a free port and wait until it answers."""
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
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5)
            return server, port
        except OSError:
            time.sleep(0.2)
    server.kill()
    raise SystemExit("The server did not answer.")


def megabytes(server: subprocess.Popen[bytes]) -> float:
    return psutil.Process(server.pid).memory_info().rss / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rest", type=float, default=10.0, help="seconds before the last look")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    with tempfile.TemporaryDirectory() as data:
        server, port = serve(data)
        try:
            url = f"ws://127.0.0.1:{port}/_stcore/stream"
            asyncio.run(drive(url, 1, 5.0))  # loads what the first visitor loads
            before = megabytes(server)
            seconds, faults = asyncio.run(drive(url, arguments.sessions, arguments.seconds))
            during = megabytes(server)
            time.sleep(arguments.rest)
            after = megabytes(server)
        finally:
            server.kill()
            server.wait()
    ordered = sorted(seconds)
    p95 = ordered[int(0.95 * (len(ordered) - 1))] if ordered else float("nan")
    print(f"{arguments.sessions} sessions, {len(seconds)} pages, {len(faults)} faults")
    print(f"a page took {statistics.median(ordered or [0]):.2f} s (median), {p95:.2f} s (p95)")
    print(f"memory: {before:.0f} MB before, {during:.0f} MB with them, {after:.0f} MB after")
    for fault in sorted(set(faults))[:20]:
        print(f"{faults.count(fault)} x {fault}")
    return int(bool(faults) or not seconds)


if __name__ == "__main__":
    sys.exit(main())
