"""Kill the real server while pages are drawn and a run trains, and start it again.

    python tests/chaos/kill_server.py --kills 5

After each kill the new server has to draw every page, and the run, a published model, a round of
the class game and the captions of a library have to be as they were.  In the end the run, which
outlives the server, has finished.  `make chaos-test` runs it.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from captioning.batch.captioning import Row  # noqa: E402 - the folder has to be known first
from captioning.batch.library import LibraryLog  # noqa: E402
from captioning.bundle import find_bundles  # noqa: E402
from captioning.play import Rounds  # noqa: E402
from captioning.runs import Runs, read_curves  # noqa: E402
from captioning.storage import shipped_models  # noqa: E402
from tests.chaos.kill_runs import CONFIG, kill_run, processes  # noqa: E402
from tests.load.sessions import Visitor, serve  # noqa: E402

PAGES = ("", "many", "gallery", "new", "watch", "compare", "play", "evaluate")
ENTRIES = [("person", "a person", "a red circle"), ("model", "shapes", "a blue square")]


async def visit(address: str, seconds: float) -> int:
    """Open one page after another, at least each of them once; return how many were drawn."""
    until, drawn = time.monotonic() + seconds, 0
    stream = f"{address.replace('http', 'ws')}/_stcore/stream"
    async with connect(stream, max_size=None, subprotocols=["streamlit"]) as connection:
        visitor = Visitor(connection, address, "shapes")
        while drawn < len(PAGES) or time.monotonic() < until:
            page = PAGES[drawn % len(PAGES)]
            async with asyncio.timeout(120):
                fault = (await visitor.open(page)).fault
            assert not fault, f"{page}: {fault}"
            drawn += 1
    return drawn


def log_of(home: Path) -> LibraryLog:
    return LibraryLog(home / "library" / "photos", lambda result, row: True)


def prepare(home: Path) -> None:
    """Save a model, a round and captions of a library, and start a run."""
    runs = Runs(home)
    kept = runs.create(CONFIG, note="kept")
    shutil.copytree(shipped_models() / "shapes", kept.bundle_folder)
    runs.publish(kept.id, "kept", by="Ada")
    Rounds(home).create(b"photo", ENTRIES)
    log = log_of(home)
    with log.working({}):
        names = log.claim(iter([f"{number}.jpg" for number in range(100)]), 100)
        log.finish([(Row(name, by="shapes"), "written") for name in names], "shapes")
    runs.start(runs.create(CONFIG.replace(epochs=12), note="trains").id)


def check(home: Path) -> None:
    runs = Runs(home)
    assert sorted(run.note for run in runs.all()) == ["kept", "trains"], "a run is lost"
    assert "died" not in [run.status.state for run in runs.all()], "a run has ended with the server"
    assert len(processes(runs)) <= 1, "a run trains twice"
    assert "kept" in {b.name for b in find_bundles() if b.published}, "a model is lost"
    (path,) = (home / "play").glob("[!.]*")
    assert len(Rounds(home).get(path.name).state().entries) == 2, "a round is lost"
    assert len(log_of(home).results) == 100, "captions are lost"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw, drawn = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["CAPTIONING_DATA"] = folder
        try:
            prepare(home)
            for kill in range(arguments.kills + 1):
                with serve(folder) as (_, address):  # killed at the end, not asked to stop
                    drawn += asyncio.run(visit(address, draw.uniform(0, 5)))
                    check(home)
                print(f"kill {kill + 1}: {drawn} pages drawn so far", flush=True)
            deadline = time.monotonic() + 600
            (run,) = (run for run in Runs(home).all() if run.note == "trains")
            while Runs(home).get(run.id).status.state != "finished":
                assert time.monotonic() < deadline, Runs(home).get(run.id).status
                time.sleep(1)
            assert len(read_curves(run).epochs) == 12
        finally:
            kill_run(Runs(home))
    print(f"{arguments.kills + 1} kills of the server, {drawn} pages: all drawn, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
