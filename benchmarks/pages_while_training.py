"""Measure how much a running training slows the web server down: pages drawn during a run.

    python benchmarks/pages_while_training.py

One run trains on generated shapes.  It is paused and resumed alternately, so that other load
affects both sides alike; in each phase, pages are drawn as for a browser.  Prints one JSON
object; the target is a ratio of at most 1.5.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import open_app, own_data  # noqa: E402

PAGES = ("pages/learn/learn.py", "pages/caption/caption.py", "pages/train/compare.py")
ROUNDS, DRAWS = 8, 6


def main() -> int:
    """Measure in a new data folder."""
    with own_data() as folder:
        print(json.dumps(measure(folder), indent=1))
    return 0


def measure(data: Path) -> dict[str, float]:
    """Draw pages during a run, alternately while it trains and while it is paused."""
    from captioning.runs import Runs, presets, read_curves

    runs = Runs(data)
    config = presets()[0].config.replace(epochs=200)
    run = runs.start(runs.create(config).id)
    app = open_app()
    while not read_curves(runs.get(run.id)).steps:
        time.sleep(0.5)
    seconds: dict[str, list[float]] = {"running": [], "paused": []}
    for number in range(2 * ROUNDS):
        state = ("running", "paused")[number % 2]
        (runs.proceed if state == "running" else runs.pause)(run.id)
        while runs.get(run.id).status.state != state:
            time.sleep(0.05)
        seconds[state] += [drawn(app, page) for _ in range(DRAWS) for page in PAGES]
    runs.stop(run.id)
    while runs.get(run.id).live:
        time.sleep(0.1)
    medians = {state: statistics.median(found) for state, found in seconds.items()}
    return {
        "pages drawn": len(seconds["running"]),
        "median ms, run paused": round(1000 * medians["paused"], 1),
        "median ms, run training": round(1000 * medians["running"], 1),
        "ratio": round(medians["running"] / medians["paused"], 2),
        "load average": round(os.getloadavg()[0], 1),
    }


def drawn(app: object, page: str) -> float:
    """Return the seconds that drawing a page takes."""
    begun = time.perf_counter()
    app.switch_page(page).run()  # type: ignore[attr-defined]
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
