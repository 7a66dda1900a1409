"""Measure the Explore pages on a real data set: index, search, first gallery, memory.

    python benchmarks/explore.py ../shared/flickr8k [--json]

All caches start empty, in a temporary folder.  The gallery and the memory are measured on a real
server with a real browser, and skipped if chromium is not installed.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import find_chromium, open_tab, resident, serve  # noqa: E402

if TYPE_CHECKING:
    from captioning.analysis.caption_index import CaptionIndex

T = TypeVar("T")

LIMITS = {
    "index_built_s": 10.0,
    "search_slowest_s": 0.1,
    "first_gallery_s": 1.5,
    "memory_growth_mb": 300.0,
}
QUERIES = (
    "dog",
    "~run",
    '"a black dog"',
    "(dog OR cat) NOT grass len:>12",
    'split:test start:"two dogs"',
    "NOT a",
    "rare:<20",
    "~unheardof",
)
PAGES = (
    "gallery?gallery.split=train",
    "photo",
    "search?search.query=~run+NOT+dog",
    "search?search.way=Photos+for+a+sentence&search.query=a+child+in+the+snow",
    "statistics",
    "statistics?statistics.topic=Vocabulary",
    "journey",
    "bleu?bleu.examples=true",
    "character",
    "character?character.topic=Misspellings",
    "character?character.topic=Loaded+words",
    "data",
)


def main() -> None:
    """Measure and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the data set's folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CAPTIONING_DATA"] = scratch
        (Path(scratch) / "flickr8k").symlink_to(options.folder.absolute())
        figures = {**searching(options.folder), **browsing(Path(scratch))}
    for name, value in figures.items():
        limit = LIMITS.get(name)
        verdict = "" if limit is None else f"  (at most {limit:g}: {_verdict(value, limit)})"
        print(f"{name:>20}  {value:,.3f}{verdict}")
    print(f"{'load':>20}  {os.getloadavg()[0]:.1f}")
    if options.json:
        print(json.dumps(figures))


def searching(folder: Path) -> dict[str, float]:
    """Time the index and searches, without pages."""
    from captioning.analysis.caption_index import PhotoRanking, open_index
    from captioning.datasets import load

    dataset, loading = _timed(lambda: load(folder))
    _, built = _timed(lambda: open_index(dataset))
    index, opened = _timed(lambda: open_index(dataset))
    # The first search of each kind counts too: nothing is warmed up.
    first = [_timed(partial(_search, index, query))[1] for query in QUERIES]
    again = [_timed(partial(_search, index, query))[1] for query in QUERIES]
    ranking, ranked = _timed(lambda: PhotoRanking(index))
    _, sentence = _timed(lambda: ranking.nearest("a child with a red ball in the snow"))
    return {
        "captions": float(len(index.captions)),
        "data_read_s": loading,
        "index_built_s": built,
        "index_opened_s": opened,
        "search_slowest_s": max(first + again),
        "search_median_s": statistics.median(first + again),
        "ranking_built_s": ranked,
        "sentence_s": sentence,
    }


def browsing(home: Path) -> dict[str, float]:
    """Time the first gallery of a server, and measure the memory of all pages."""
    if find_chromium() is None:
        return {}
    with serve(home) as (url, process), open_tab() as tab:
        tab.goto(url)
        tab.get_by_role("heading", name="Caption a photo").wait_for()
        before = resident(process.pid)
        begun = time.perf_counter()
        tab.get_by_role("link", name="Explore", exact=True).click()
        tab.wait_for_function(
            "document.querySelectorAll('[data-testid=stImage] img').length >= 24 &&"
            "[...document.querySelectorAll('[data-testid=stImage] img')].every(i => i.complete)"
        )
        gallery = time.perf_counter() - begun
        for page in PAGES:
            tab.goto(f"{url}/{page}")
            tab.get_by_text("The code that just ran").wait_for()
        after = resident(process.pid)
    return {
        "first_gallery_s": gallery,
        "memory_idle_mb": before,
        "memory_growth_mb": after - before,
    }


def _search(index: "CaptionIndex", query: str) -> None:
    """Do what the page does for one query: find, and highlight the captions it shows."""
    from captioning.analysis.search import find

    found = find(index, query)
    for caption in found.captions[:50]:
        found.spans(int(caption))
    _ = found.photos


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def _verdict(value: float, limit: float) -> str:
    return "kept" if value <= limit else "MISSED"


if __name__ == "__main__":
    main()
