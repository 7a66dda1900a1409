"""A captioner that is fast and knows nothing, and a process that captions a library with it.

    python library_worker.py FOLDER FORM SECONDS

SECONDS are what it takes for a batch.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from captioning.batch import photo_names
from captioning.batch.library import (
    CsvTable,
    LibraryLog,
    caption_library,
    form_of,
    log_folder,
)
from captioning.caption import Caption
from captioning.config import DecodingConfig

LEVELS = ("not sure", "fairly sure", "sure")


class QuickCaptioner:
    """Names the brightness of a photo, 0 to 255, and is the surer the brighter it is."""

    calibration = object()

    def __init__(self, name="quick", seconds=0.0):
        self.name, self.seconds = name, seconds
        self.bundle = SimpleNamespace(learned_from_photos=False, version="0a")
        self.encoder = SimpleNamespace(pixels=lambda photo: np.asarray(photo.resize((1, 1))))

    def encode_squares(self, pixels):
        time.sleep(self.seconds)
        return pixels

    def describe(self, features, decoding=None):
        return [self._caption(int(square.mean())) for square in features]

    def _caption(self, brightness):
        return Caption(
            text=f"brightness {brightness}",
            log_prob=-1.0,
            words=(),
            alternatives=(),
            model=self.name,
            seconds=0.0,
            decoding=DecodingConfig(),
            confidence=brightness / 255,
            familiar=True,
            level=LEVELS[min(brightness // 80, 2)],
        )


def is_done(result, row):
    return result == "written"


def caption(folder, form_name, captioner=None, *, is_done=is_done, **settings):
    """Caption a library as the command does, and return what became of each photo."""
    captioner = captioner or QuickCaptioner()
    table = folder / "captions.csv" if form_name == "csv" else None
    log = LibraryLog(log_folder(folder, form_name, table), is_done)
    names = photo_names(folder)
    photos = (folder / name for name in names)
    form = CsvTable(table, log) if table else form_of(form_name, photos, log.wrote)
    with log.working({"folder": str(folder)}):
        return list(caption_library(captioner, folder, names, form, log, **settings))


if __name__ == "__main__":
    place, form_name, seconds = sys.argv[1:]
    for outcome in caption(Path(place), form_name, QuickCaptioner(seconds=float(seconds))):
        print(outcome.row.photo, outcome.result)
