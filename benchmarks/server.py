"""Measure the app with a browser: cold start, first caption, memory after many photos.

    CAPTIONING_WEIGHTS=DIR python benchmarks/server.py [--photos 200] [--model NAME] [--json]

A real server is started cold and opened in chromium, after one of an empty app, which shows what
Streamlit and the browser take by themselves.  The photos have 2 megapixels, each a different crop
of one sample; each is uploaded and captioned on the Caption page.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import find_chromium, open_tab, resident, serve  # noqa: E402

LIMITS = {
    "home_cold_s": 2.0,
    "first_caption_s": 2.0,
    "memory_with_model_mb": 350.0,
    "memory_growth_mb": 50.0,
}
WARM_UP = 10
"""Number of photos after which memory is measured: caches and pools are filled by then."""


def main() -> None:
    """Measure and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--model", help="a bundle's name; by default the app's own choice")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    options = parser.parse_args()
    figures = report(photos=options.photos, model=options.model)
    if options.json:
        print(json.dumps(figures))


def report(*, photos: int, model: str | None = None) -> dict[str, float]:
    """Measure, print one line for each figure, and return the figures."""
    if find_chromium() is None:
        sys.exit("This needs chromium.")
    with tempfile.TemporaryDirectory() as home:
        figures = measure(Path(home), photos=photos, model=model)
    for name, value in figures.items():
        limit = LIMITS.get(name)
        verdict = "kept" if limit is None or value <= limit else "MISSED"
        bound = "" if limit is None else f"  (at most {limit:g}: {verdict})"
        print(f"{name:>22}  {value:,.2f}{bound}")
    print(f"{'load':>22}  {os.getloadavg()[0]:.1f}")
    return figures


def measure(home: Path, *, photos: int, model: str | None) -> dict[str, float]:
    """Start the server, open the first page, caption `photos` photos one after the other."""
    query = f"?caption.model={model}" if model else ""
    empty = home / "empty.py"
    empty.write_text('import streamlit\n\nstreamlit.header("Caption a photo")\n')
    with open_tab() as tab:
        begun = time.perf_counter()
        with serve(home, empty) as (url, _):
            tab.goto(url)
            tab.get_by_role("heading", name="Caption a photo").wait_for()
            bare = time.perf_counter() - begun
        begun = time.perf_counter()
        with serve(home) as (url, process):
            tab.goto(url)
            tab.get_by_role("heading", name="Caption a photo").wait_for()
            figures = {"empty_app_cold_s": bare, "home_cold_s": time.perf_counter() - begun}
            figures["memory_idle_mb"] = resident(process.pid)
            tab.goto(f"{url}/caption{query}")
            # A person drops a photo once the place for it is shown.
            tab.locator("input[type=file]").first.wait_for(state="attached")
            seconds = [_caption(tab, number) for number in range(WARM_UP)]
            figures["first_caption_s"] = seconds[0]
            figures["later_caption_s"] = min(seconds[1:])
            figures["memory_with_model_mb"] = resident(process.pid)
            for number in range(WARM_UP, WARM_UP + photos):
                _caption(tab, number)
            after = resident(process.pid)
            figures["memory_growth_mb"] = after - figures["memory_with_model_mb"]
    return figures


def _caption(tab: Any, number: int) -> float:
    """Replace the uploaded photo; return the seconds from the drop until its caption is shown."""
    if number:
        tab.get_by_role("button", name="Remove").first.click()
        tab.get_by_text("Written by").first.wait_for(state="detached")
    name = f"photo{number}.jpg"
    photo = {"name": name, "mimeType": "image/jpeg", "buffer": _photo(number)}
    begun = time.perf_counter()
    tab.locator("input[type=file]").first.set_input_files(photo)
    tab.get_by_alt_text(f"The photo {name}").wait_for()
    tab.get_by_text("Written by").first.wait_for()
    return time.perf_counter() - begun


def _photo(number: int) -> bytes:
    """Return a unique JPEG of 1600 x 1200 pixels: a crop of a sample."""
    sample = Image.open(ROOT / "assets" / "photos" / "dogs.jpg").convert("RGB")
    left, top = np.random.default_rng(number).integers(0, 100, 2).tolist()
    part = sample.crop((left, top, sample.width - 100 + left, sample.height - 100 + top))
    stream = io.BytesIO()
    part.resize((1600, 1200)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


if __name__ == "__main__":
    main()
