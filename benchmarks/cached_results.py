"""Measure what the server keeps of photos: all lessons with one photo after another.

    python benchmarks/cached_results.py [--photos 8] [--model NAME]

Each photo is a different crop of the app's samples.  Printed are the results that Streamlit's
caches hold in the end, without what they keep once per model.
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import open_app, own_data  # noqa: E402

PER_MODEL = ("_captioner", "_decoder", "_opened_encoder", "_pupil", "_read_embeddings", "_study")


def main() -> None:
    """Open the lessons, and print the size of each cache of a megabyte or more, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--model", default="everyday")
    options = parser.parse_args()
    with own_data() as data:
        write_photos(data / "crops", options.photos)
        look_at_all(options.photos, options.model)
        sizes = cached()
    for name, size in sizes.most_common():
        if size >= 1e6:
            print(f"{size / 1e6:6.1f} MB  {name}")
    print(f"{sizes.total() / 1e6:6.1f} MB  in all, after {options.photos} photos")


def write_photos(folder: Path, count: int) -> None:
    """Write a data set of crops of the samples."""
    folder.mkdir()
    draw, rows = random.Random(0), ["image,caption"]
    samples = [Image.open(path).convert("RGB") for path in (ROOT / "assets/photos").glob("*.jpg")]
    for number in range(count):
        sample = samples[number % len(samples)]
        width, height = (round(side * draw.uniform(0.4, 1.0)) for side in sample.size)
        left, top = draw.randint(0, sample.width - width), draw.randint(0, sample.height - height)
        crop = sample.crop((left, top, left + width, top + height)).resize((800, 600))
        crop.save(folder / f"{number}.jpg")
        rows.append(f"{number}.jpg,a photo")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")


def look_at_all(photos: int, model: str) -> None:
    """Open each lesson with each photo."""
    from pages.learn.lessons import LESSONS

    for number in range(photos):
        app = open_app()
        for lesson in LESSONS:
            app.query_params["learn.data"] = "crops"
            app.query_params["learn.model"] = model
            app.query_params["learn.photo"] = f"{number}.jpg"
            app.switch_page(lesson.path).run()
            if app.exception:
                raise SystemExit(f"A page failed: {app.exception[0].value}")


def cached() -> Counter[str]:
    """Return the bytes of Streamlit's caches, by the functions that they belong to."""
    from streamlit import config
    from streamlit.runtime.caching import (
        get_data_cache_stats_provider,
        get_resource_cache_stats_provider,
    )
    from streamlit.runtime.stats import CacheStat

    config.set_option("server.enableExpensiveMemoryStats", True)
    sizes: Counter[str] = Counter()
    for provider in (get_data_cache_stats_provider(), get_resource_cache_stats_provider()):
        for family in provider.get_stats().values():
            for stat in family:
                if isinstance(stat, CacheStat) and not stat.cache_name.endswith(PER_MODEL):
                    sizes[stat.cache_name] += stat.byte_length
    return sizes


if __name__ == "__main__":
    main()
