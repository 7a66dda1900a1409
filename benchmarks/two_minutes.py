"""Measure the run "Two minutes on shapes", from the click to the last epoch.

    python benchmarks/two_minutes.py

Opens the page New run with an empty data folder, clicks on start, and waits until the run's process
has ended; the time includes drawing the shapes and writing the model.  Then scores the model on the
test split, which the run does not read.  Prints one JSON object; the targets are 120 s on two cores
and a BLEU-4 of 50.
"""

import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import open_app, own_data  # noqa: E402

LONGEST = 900.0


def main() -> int:
    """Measure in a new data folder."""
    with own_data() as folder:
        print(json.dumps(measure(folder), indent=1))
    return 0


def measure(data: Path) -> dict[str, float]:
    """Start the run as a visitor would, and wait for its end."""
    from captioning.runs import Runs

    app = open_app()
    app.switch_page("pages/train/new.py").run()
    app.button(key="new.start").click()
    begun = time.perf_counter()
    app.run()
    runs = Runs(data)
    (run,) = runs.all()
    while (seconds := time.perf_counter() - begun) < LONGEST:
        run = runs.get(run.id)
        if run.status.state in ("finished", "failed"):
            break
        time.sleep(0.2)
    if run.status.state != "finished":
        raise SystemExit(f"The run is {run.status.state}.")
    return {"seconds": round(seconds, 1), **_scores(run.bundle_folder, data)}


def _scores(model: Path, data: Path) -> dict[str, float]:
    from captioning.captioner import Captioner
    from captioning.datasets import load
    from captioning.evaluation import evaluate

    (shapes,) = [folder for folder in data.iterdir() if folder.name.startswith("shapes")]
    scores = evaluate(Captioner.load(model), load(shapes), split="test").to_dict()
    figures = {name: scores[name] for name in ("images", "bleu_4", "cider")}
    return {**figures, "load_average": round(os.getloadavg()[0], 1)}


if __name__ == "__main__":
    sys.exit(main())
